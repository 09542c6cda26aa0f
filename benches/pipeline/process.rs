//! A server process, and what it costs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::peak::Peak;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Far longer than anything takes; a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// How often a server is asked how far it is: often enough to be exact, seldom enough to cost nothing.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// And how often at least, in seconds, as times are taken by it.
const MAX_POLL: f64 = 0.1;

/// Before that, it is asked again after the time that the rest will take, divided by this.
const PART_OF_WAIT: f64 = 4.0;

/// Of a second, in proc_pid_stat(5): the same on all machines that Linux runs on today.
const CLOCK_TICKS: f64 = 100.0;

/// A server that listens.
pub(crate) struct Server {
    child: Child,
    /// Of the input.
    pub(crate) port: u16,
    metrics_port: u16,
    /// What it has at most, to its end.
    pub(crate) peak: Peak,
}

impl Server {
    /// Starts a server that logs JSON lines, and waits until its input and its metrics listen.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut port, mut metrics_port) = (0, 0);
        while port == 0 || metrics_port == 0 {
            let line = log.next().expect("the server starts").unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                let address: std::net::SocketAddr = line["address"].as_str().unwrap().parse().unwrap();
                match line["section"].as_str() {
                    None => port = address.port(),
                    Some("metrics") => metrics_port = address.port(),
                    Some(_) => {}
                }
            }
        }
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                if !line.contains("\"INFO\"") {
                    eprintln!("{line}");
                }
            }
        });
        let peak = Peak::of(child.id());
        Self { child, port, metrics_port, peak }
    }

    /// Waits until a metric is at least so large. Asks the more rarely the longer that will still take: answering is work of
    /// the server as well.
    #[allow(clippy::disallowed_methods, reason = "asking without a pause would be part of what is measured")]
    pub(crate) fn until_metric(&self, name: &str, at_least: f64) {
        let (started, first) = (Instant::now(), self.metric(name));
        let mut value = first;
        while value < at_least {
            assert!(started.elapsed() < PATIENCE, "{name} is {value} and not {at_least}");
            // By what it has grown so far.
            let remaining = (at_least - value) / (value - first) * started.elapsed().as_secs_f64();
            let pause = if remaining.is_finite() { remaining / PART_OF_WAIT } else { 0.0 };
            sleep(Duration::from_secs_f64(pause.clamp(POLL.as_secs_f64(), MAX_POLL)));
            value = self.metric(name);
        }
    }

    /// The sum of a metric's samples.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics_port)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let samples = answer
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Processor seconds so far, in user and in system mode.
    pub(crate) fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        // utime and stime, fields 14 and 15 of proc_pid_stat(5), in clock ticks.
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        ticks as f64 / CLOCK_TICKS
    }

    /// Mebibytes that a line of proc_pid_status(5) tells: `VmRSS`, or `VmHWM` for the most it ever was.
    pub(crate) fn memory(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')).unwrap();
        value.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Asks for an orderly end, and gives all processor seconds up to then.
    pub(crate) fn stop(mut self) -> f64 {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        // What a process took can be read until it is waited for.
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        let seconds = self.processor_seconds();
        assert!(self.child.wait().unwrap().success());
        seconds
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
