//! What nobody else would look at while nothing is received: what operators ask of outputs, and segments whose time of
//! being retained is over.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::journal::Journal;

/// How long at most until it is looked again.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks once a second, until it is told to stop. Outputs that are asked for something new are told to save, and take
/// it up then.
pub(super) async fn run(journal: Journal, flush_requests: watch::Sender<u64>, stop: CancellationToken) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Vec::new();
    let mut could_look = true;
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        journal.release();
        let looking = journal.clone();
        let Ok(requests) = tokio::task::spawn_blocking(move || looking.requests()).await else { return };
        match requests {
            Ok(requests) => {
                if requests.iter().any(|request| !seen.contains(request)) {
                    flush_requests.send_modify(|count| *count += 1);
                }
                seen = requests;
                could_look = true;
            }
            Err(error) => {
                if could_look {
                    tracing::error!(%error, "cannot see what operators ask of outputs; will look again");
                }
                could_look = false;
            }
        }
    }
}
