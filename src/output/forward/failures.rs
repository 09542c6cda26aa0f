//! What the log says about servers in trouble: the first failure at once, the others folded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pool::{ServerId, Target};

/// How often a server that goes on failing is mentioned.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// Servers that failed and did not deliver since.
#[derive(Debug)]
pub(super) struct Failures {
    output: String,
    by_server: Mutex<HashMap<ServerId, Trouble>>,
}

#[derive(Debug)]
struct Trouble {
    last_line: Instant,
    /// Failures since that line.
    folded: u64,
    all: u64,
}

impl Failures {
    pub(super) fn new(output: &str) -> Self {
        Self { output: output.to_owned(), by_server: Mutex::default() }
    }

    /// A message did not get through.
    pub(super) fn failed(&self, target: &Target, reason: &str, is_in_doubt: bool) {
        let Some(folded) = self.note(target.id, Instant::now()) else { return };
        let (output, server, address) = (self.output.as_str(), target.name.as_str(), target.address.as_str());
        let outcome = if is_in_doubt {
            "a message may have arrived: it is sent to this server again, under the same id"
        } else {
            "nothing was sent: the message goes to whichever server takes it"
        };
        tracing::warn!(output, server, address, reason, folded, "cannot deliver; {outcome}");
    }

    /// A message got through.
    pub(super) fn succeeded(&self, target: &Target) {
        let mut by_server = self.by_server.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trouble) = by_server.remove(&target.id) {
            let (output, server, failures) = (self.output.as_str(), target.name.as_str(), trouble.all);
            tracing::info!(output, server, failures, "the server takes messages again");
        }
    }

    /// Counts a failure. How many were folded since the last line, if it is time for one.
    fn note(&self, server: ServerId, now: Instant) -> Option<u64> {
        let mut by_server = self.by_server.lock().unwrap_or_else(PoisonError::into_inner);
        match by_server.get_mut(&server) {
            None => {
                by_server.insert(server, Trouble { last_line: now, folded: 0, all: 1 });
                Some(0)
            }
            Some(trouble) => {
                trouble.all += 1;
                if now.duration_since(trouble.last_line) < LINE_INTERVAL {
                    trouble.folded += 1;
                    return None;
                }
                trouble.last_line = now;
                Some(std::mem::take(&mut trouble.folded))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_goes_on_failing_is_mentioned_now_and_then() {
        let failures = Failures::new("up");
        let start = Instant::now();
        let server = ServerId::new(0);
        assert_eq!(failures.note(server, start), Some(0));
        for _ in 0..100 {
            assert_eq!(failures.note(server, start + LINE_INTERVAL / 2), None);
        }
        assert_eq!(failures.note(ServerId::new(1), start), Some(0), "servers do not share their lines");
        assert_eq!(failures.note(server, start + LINE_INTERVAL), Some(100));
        assert_eq!(failures.note(server, start + LINE_INTERVAL), None);
    }
}
