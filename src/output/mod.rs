//! Where events go. Each output follows the journal at its own pace, on a thread of its own, and keeps its own cursor;
//! one that is slow or down hurts nobody but itself.

mod disowned;
pub mod file;
pub mod forward;
pub mod given_up;
mod inflater;

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Something that delivers.
pub trait Output: Send + std::fmt::Debug {
    /// The `id` of the config, which names the cursor.
    fn id(&self) -> &str;

    /// Delivers until it is told to stop, then saves what it has done. Blocks: it has a thread of its own.
    ///
    /// # Errors
    ///
    /// Only what a restart of the process must mend. Everything else is retried, counted and logged.
    fn run(self: Box<Self>, controls: Controls) -> Result<(), OutputError>;
}

/// An output that can't go on in this process. What it had not saved is delivered after a restart.
#[derive(Debug, thiserror::Error)]
#[error("the output {id} can't go on until a restart: {reason}")]
pub struct OutputError {
    pub id: String,
    pub reason: String,
}

/// What the server tells its outputs.
#[derive(Debug, Clone)]
pub struct Controls {
    /// Where to wait, on a thread that has no runtime of its own.
    pub runtime: Handle,
    /// Counts requests to flush and checkpoint now.
    pub flush_requests: watch::Receiver<u64>,
    /// Set when the journal is closed: deliver what is there, save, and return.
    pub stop: CancellationToken,
    /// How long to go on delivering after `stop`.
    pub stop_patience: Duration,
}
