//! What the log says about messages in doubt: the first of a server at once, the others folded. That a server is down
//! the pool says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::pool::{ServerId, Target};

/// How often a server that goes on like that is mentioned.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// Servers that left a message in doubt and took none since.
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
}

impl Failures {
    pub(super) fn new(output: &str) -> Self {
        Self { output: output.to_owned(), by_server: Mutex::default() }
    }

    /// A server may have a message that it did not acknowledge.
    pub(super) fn in_doubt(&self, target: &Target, reason: &str) {
        let Some(folded) = self.note(target.id, Instant::now()) else { return };
        let (output, server) = (self.output.as_str(), target.name.as_str());
        tracing::warn!(
            output, server, address = %target.address, reason, folded,
            "a message may have arrived and was not acknowledged: it is sent to this server again, under the same id"
        );
    }

    /// A message got through.
    pub(super) fn succeeded(&self, target: &Target) {
        self.by_server.lock().unwrap_or_else(PoisonError::into_inner).remove(&target.id);
    }

    /// Counts a failure. How many were folded since the last line, if it is time for one.
    fn note(&self, server: ServerId, now: Instant) -> Option<u64> {
        let mut by_server = self.by_server.lock().unwrap_or_else(PoisonError::into_inner);
        match by_server.get_mut(&server) {
            None => {
                by_server.insert(server, Trouble { last_line: now, folded: 0 });
                Some(0)
            }
            Some(trouble) => {
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
        let server = ServerId(0);
        assert_eq!(failures.note(server, start), Some(0));
        for _ in 0..100 {
            assert_eq!(failures.note(server, start + LINE_INTERVAL / 2), None);
        }
        assert_eq!(failures.note(ServerId(1), start), Some(0), "servers do not share their lines");
        assert_eq!(failures.note(server, start + LINE_INTERVAL), Some(100));
        assert_eq!(failures.note(server, start + LINE_INTERVAL), None);
    }
}
