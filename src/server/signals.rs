//! Signals: TERM and INT stop, USR1 flushes, HUP is noted.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The signals that a server listens to. Made before anything else starts, so that none is missed.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    flush: Signal,
    reload: Signal,
}

impl Signals {
    /// Takes the signals over from the system's default, which is to end the process.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            flush: signal(SignalKind::user_defined1())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Obeys signals until one of them asks to stop.
    pub async fn obey(mut self, flush_requests: watch::Sender<u64>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.flush.recv() => {
                    tracing::info!("USR1: flushing and saving all outputs now");
                    flush_requests.send_modify(|requests| *requests += 1);
                }
                _ = self.reload.recv() => {
                    tracing::warn!("HUP: this version does not reload its configuration; restart to apply changes");
                }
            }
        }
        shutdown.cancel();
    }
}
