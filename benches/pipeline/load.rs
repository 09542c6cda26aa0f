//! Made-up events, and what sending them was like.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::Arguments;

/// What is sent, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) events: u64,
    /// Events in a message.
    pub(crate) chunk: u64,
    pub(crate) connections: u16,
    /// Messages of a connection that may wait for their acknowledgement.
    pub(crate) window: u16,
    pub(crate) customers: u64,
    /// Events a second, over all connections.
    pub(crate) rate: Option<u64>,
    /// Seconds after the start whose acknowledgements do not count.
    pub(crate) settle: u64,
}

impl Load {
    /// What the command line asks for.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            events: arguments.events,
            chunk: 1_000,
            connections: arguments.connections,
            window: 4,
            customers: arguments.customers,
            rate: arguments.rate,
            settle: 0,
        }
    }

    /// `hikyaku send` of it, with results as JSON.
    pub(crate) fn command(&self, arguments: &Arguments) -> Command {
        let mut command = Command::new(&arguments.server);
        command.args(["send", "nginx.access", "--json"]);
        let mut option = |name: &str, value: u64| {
            command.arg(format!("--{name}")).arg(value.to_string());
        };
        option("count", self.events);
        option("chunk-events", self.chunk);
        option("connections", self.connections.into());
        option("window", self.window.into());
        option("customers", self.customers);
        if self.settle > 0 {
            option("settle", self.settle);
        }
        if let Some(rate) = self.rate {
            option("rate", rate);
        }
        command
    }
}

/// A client that sends.
pub(crate) struct Sending(Child);

impl Sending {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits until everything is acknowledged; what `hikyaku send --json` says of it.
    pub(crate) fn finish(self) -> Sent {
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Sent(serde_json::from_slice(&output.stdout).unwrap())
    }
}

/// What a sender saw.
pub(crate) struct Sent(Value);

impl Sent {
    pub(crate) fn ack_p50_ms(&self) -> f64 {
        self.number("ack_p50_seconds") * 1e3
    }

    pub(crate) fn ack_p99_ms(&self) -> f64 {
        self.number("ack_p99_seconds") * 1e3
    }

    pub(crate) fn events_a_second(&self) -> f64 {
        self.number("events_per_second")
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap()
    }
}
