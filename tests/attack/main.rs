//! Hostile connections of every kind against the real server, while a good sender keeps its rate and memory stays
//! within what the configuration names.
//!
//! `HIKYAKU_ATTACKERS=10000 cargo nextest run --release --no-capture attack` is the long form, with numbers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attackers;
mod good_sender;
#[allow(dead_code, reason = "shared with the other tests of the whole server")]
#[path = "../server/support/mod.rs"]
mod support;

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use attackers::Target;
use good_sender::GoodSender;
use support::{ALL_ENDPOINTS, Scene, Server};

const ATTACKERS: usize = 300;

/// How long the good sender is measured, alone before and after, and under attack.
const MEASURED: Duration = Duration::from_secs(2);

/// What the configuration below allows for, in bytes.
const MAX_IN_FLIGHT: u64 = 8 << 20;
const MAX_INFLATED_SIZE: u64 = 4 << 20;
/// Tasks, TLS state, and the 16 KiB that every connection may read without asking.
const CONNECTION: u64 = 32 << 10;
/// Lines of the dead letters and of the archive that wait to be written, and the journal's memory.
const BUFFERS: u64 = (8 + 4 + 4) << 20;

#[test]
fn a_good_sender_keeps_its_rate_and_memory_its_limit_under_attack() {
    let attackers = std::env::var("HIKYAKU_ATTACKERS")
        .map_or(ATTACKERS, |count| count.parse().expect("HIKYAKU_ATTACKERS is a number"));
    raise_open_files();
    let scene = Scene::new();
    let server = Server::run(&scene.path("hikyaku.toml"), &config(&scene, attackers), 5);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    let mut sender = runtime.block_on(GoodSender::connect(&scene, server.port("edge")));
    let mut plain = runtime.block_on(GoodSender::connect_plain(server.port("containers")));
    let alone = runtime.block_on(sender.rate(MEASURED));
    let plain_alone = runtime.block_on(plain.rate(MEASURED));
    let at_rest = peak_memory(&server);

    let target = Target::new(&scene, server.port("edge"), server.port("containers"), attackers);
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    for number in 0..attackers {
        let (target, stop) = (target.clone(), stop.clone());
        tracker.spawn_on(
            async move {
                stop.run_until_cancelled(attackers::attack(number, &target)).await;
            },
            runtime.handle(),
        );
    }
    server.until("the attackers are there", |_| target.connected() >= attackers);
    let (mut rates, mut plain_rates, mut seconds) = (Vec::new(), Vec::new(), 0);
    // At least twice, and until every kind of attack has been turned away as what it is.
    while rates.len() < 2 || attackers::missing(&server).is_some() {
        rates.push(runtime.block_on(sender.rate(MEASURED)));
        plain_rates.push(runtime.block_on(plain.rate(MEASURED)));
        seconds += 1;
        assert!(seconds < 30, "never turned away: {:?}", attackers::missing(&server));
    }
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    let (under_attack, plain_under_attack) = (mean(&rates), mean(&plain_rates));
    let connections = server.metric("hikyaku_input_connections");
    let peak = peak_memory(&server);
    stop.cancel();
    tracker.close();
    runtime.block_on(tracker.wait());

    server.until("the attackers are gone", |server| server.metric("hikyaku_input_connections") <= 2.0);
    // A machine may be slower in one second than in another, and is not to blame the attackers for it.
    let (after, plain_after) =
        (runtime.block_on(sender.rate(MEASURED)), runtime.block_on(plain.rate(MEASURED)));
    assert!(after >= alone / 4.0, "{after:.0} messages/s after the attack, {alone:.0} before");
    assert!(
        plain_after >= plain_alone / 4.0,
        "{plain_after:.0} messages/s after it, {plain_alone:.0} before"
    );
    let (alone, plain_alone) = (alone.min(after), plain_alone.min(plain_after));

    let processors = std::thread::available_parallelism().unwrap().get() as u64;
    // Two inputs. Buffers that double while they grow can take twice as much for a moment.
    let limit = at_rest
        + 2 * (2 * MAX_IN_FLIGHT + 2 * processors * MAX_INFLATED_SIZE)
        + attackers as u64 * CONNECTION
        + BUFFERS;
    eprintln!(
        "{attackers} attackers, {} attacks, {connections} connections at the end\n\
         good sender: {alone:.0} messages/s alone, {under_attack:.0} under attack ({rates:.0?})\n\
         without TLS: {plain_alone:.0} alone, {plain_rates:.0?}\n\
         memory: {} KiB at rest, {} KiB at its peak, limit {} KiB",
        target.attacks(),
        at_rest >> 10,
        peak >> 10,
        limit >> 10
    );
    assert!(peak <= limit, "{peak} bytes of memory, limit {limit}");
    assert!(
        plain_under_attack >= plain_alone / 2.0,
        "{plain_under_attack:.0} messages/s without TLS under attack, {plain_alone:.0} alone"
    );
    assert!(under_attack >= alone / 2.0, "{under_attack:.0} messages/s under attack, {alone:.0} alone");

    drop((sender, plain));
    assert!(server.stop().success());
}

fn config(scene: &Scene, attackers: usize) -> String {
    let (root, tls) = (scene.directory.path().display(), scene.server_tls());
    let (max_connections, max_handshakes) = (attackers + 100, attackers.div_ceil(50).max(20));
    let limits = format!(
        "max_connections = {max_connections}\n\
         max_handshakes_by_address = {max_handshakes}\n\
         max_message_size = \"1MiB\"\n\
         max_inflated_size = {MAX_INFLATED_SIZE}\n\
         max_in_flight = {MAX_IN_FLIGHT}\n\
         handshake_timeout = \"1s\"\n\
         stall_timeout = \"1s\"\n"
    );
    format!(
        r#"
[server]
name = "attacked"
data_dir = "{root}/data"
[log]
format = "json"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
memory = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
{tls}
{limits}
[[input]]
id = "containers"
type = "forward"
listen = "127.0.0.1:0"
{limits}
[[output]]
id = "archive"
type = "file"
match = "**"
path = "{root}/archive/%Y%m%d%H.log"
buffer_memory = "4MiB"
{ALL_ENDPOINTS}
"#
    )
}

/// As many open files as the system allows, also for the server, which inherits it.
fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Bytes of memory that the process had at most.
fn peak_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
