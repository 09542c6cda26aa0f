//! Ctrl-C and TERM: the first ends the sending in order, the second at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals that end a run of `hikyaku send`.
#[derive(Debug)]
pub(super) struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    /// Takes the signals over from the system's default, which is to end the process.
    pub(super) fn register() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Cancels `stop` at the first signal, and is done at the second.
    pub(super) async fn second(mut self, stop: &CancellationToken) {
        self.next().await;
        stop.cancel();
        self.next().await;
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}
