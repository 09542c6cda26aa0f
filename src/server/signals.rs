//! Signals: TERM and INT stop, USR1 flushes, HUP reads certificates again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::tls::reload::ReloadTrigger;

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
    pub async fn obey(
        mut self,
        flush_requests: watch::Sender<u64>,
        reload_triggers: Vec<ReloadTrigger>,
        shutdown: CancellationToken,
    ) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.flush.recv() => {
                    tracing::info!("USR1: flushing and saving all outputs now");
                    flush_requests.send_modify(|requests| *requests += 1);
                }
                _ = self.reload.recv() => {
                    // Each says itself what it found.
                    tracing::info!(
                        "HUP: reading certificates, keys, authorities and revocation lists again; other changes of \
                         the configuration need a restart"
                    );
                    reload_triggers.iter().for_each(ReloadTrigger::fire);
                }
            }
        }
        shutdown.cancel();
    }
}
