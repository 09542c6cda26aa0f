//! The server: builds everything from a configuration, binds, serves, and stops in order.
//!
//! ```text
//! start   recover archive files ─▶ open the journal ─▶ attach outputs ─▶ bind ─▶ serve
//! stop    inputs: stop accepting, sync, acknowledge ─▶ close the journal ─▶ outputs: deliver, flush, save ─▶ admin
//! ```
//!
//! Everything that can be wrong with a configuration or a disk is found before anything listens.

mod changes;
mod monitor;
mod retries;
mod set_aside_retries;
mod signals;
mod start;
mod upkeep;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

pub use signals::Signals;
pub use start::StartError;

use crate::admin::{AdminError, Readiness};
use crate::config::{Config, ListenAddress};
use crate::journal::{Journal, Status};
use crate::metrics::Metrics;
use crate::output::OutputError;
use crate::output::given_up::GivenUp;
use crate::tls::reload::ReloadTrigger;

/// A server that listens and serves.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    addresses: Addresses,
    metrics: Arc<Metrics>,
    journal: Journal,
    /// Where outputs put what they give up, where one can.
    given_up: Option<GivenUp>,
    readiness: Readiness,
    inputs: Vec<JoinHandle<()>>,
    outputs: Vec<RunningOutput>,
    admin: std::thread::JoinHandle<Result<(), AdminError>>,
    flush_requests: watch::Sender<u64>,
    reload_triggers: Vec<ReloadTrigger>,
    stop_inputs: CancellationToken,
    stop_outputs: CancellationToken,
    stop_admin: CancellationToken,
}

/// An output on its thread.
#[derive(Debug)]
struct RunningOutput {
    id: String,
    task: JoinHandle<Result<(), OutputError>>,
}

/// Where a server listens, with the ports that the system chose where the configuration says 0.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    /// By input id, in the order of the configuration.
    pub inputs: Vec<(String, ListenAddress)>,
    pub health: Option<SocketAddr>,
    pub monitor_agent: Option<SocketAddr>,
    pub metrics: Option<SocketAddr>,
}

impl Addresses {
    /// The operator's endpoints, by the section that configures them.
    pub fn admin(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let endpoints =
            [("health", self.health), ("monitor_agent", self.monitor_agent), ("metrics", self.metrics)];
        endpoints.into_iter().filter_map(|(section, address)| Some((section, address?)))
    }
}

/// The server ended because it could not go on. A restart recovers.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the journal has failed: {0}")]
    Journal(Arc<str>),
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Server {
    /// Builds and starts everything. Within a multi-threaded tokio runtime.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        start::start(config).await
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A handle that asks all outputs to flush and checkpoint now.
    pub fn flush_requests(&self) -> watch::Sender<u64> {
        self.flush_requests.clone()
    }

    /// Handles that make inputs look at their TLS files now.
    pub fn reload_triggers(&self) -> Vec<ReloadTrigger> {
        self.reload_triggers.clone()
    }

    /// Serves until `shutdown`, or until something failed for good; then stops in order.
    pub async fn serve(mut self, shutdown: CancellationToken) -> Result<(), ServeError> {
        let mut status = self.journal.status();
        let failure = tokio::select! {
            () = shutdown.cancelled() => None,
            reason = journal_failure(&mut status) => Some(ServeError::Journal(reason)),
            error = first_failure(&mut self.outputs) => Some(ServeError::Output(error)),
        };
        match &failure {
            None => tracing::info!("stopping: no new connections; what was received is synced and delivered"),
            Some(error) => {
                tracing::error!(fatal = true, %error, "stopping: restart to recover; nothing acknowledged is lost")
            }
        }
        self.readiness.stopping();
        let stopped = self.stop().await;
        match (failure, stopped) {
            (Some(failure), _) => Err(failure),
            (None, stopped) => stopped,
        }
    }

    async fn stop(mut self) -> Result<(), ServeError> {
        let patience = self.config.server.shutdown_timeout;
        self.stop_inputs.cancel();
        if *self.journal.status().borrow() != Status::Accepting {
            // Nobody can wait for it now: senders keep what is not acknowledged.
            self.journal.close().await;
        }
        for mut input in self.inputs.drain(..) {
            if tokio::time::timeout(patience, &mut input).await.is_err() {
                tracing::warn!(
                    seconds = patience.as_secs(),
                    "an input did not end in server.shutdown_timeout: its connections are cut, and their senders send \
                     again what was not acknowledged"
                );
                input.abort();
            }
        }
        self.journal.close().await;
        self.stop_outputs.cancel();
        let mut failure = None;
        for output in self.outputs.drain(..) {
            failure = failure.or(output.end(patience).await);
        }
        if let Some(given_up) = &self.given_up {
            given_up.journal().close().await;
        }
        // Last, so that `/ready` says until the end that the server is stopping.
        self.stop_admin.cancel();
        let admin = tokio::task::spawn_blocking(move || self.admin.join()).await;
        if !matches!(admin, Ok(Ok(Ok(())))) {
            tracing::error!("the endpoints for operators ended in an error: {admin:?}");
        }
        match failure {
            Some(error) => Err(error.into()),
            None => {
                tracing::info!("stopped");
                Ok(())
            }
        }
    }
}

/// What an output gets over its own patience, for the flush and the sync of its last checkpoint.
const CHECKPOINT_PATIENCE: Duration = Duration::from_secs(30);

impl RunningOutput {
    /// Waits for the end of an output that was told to stop.
    async fn end(mut self, patience: Duration) -> Option<OutputError> {
        match tokio::time::timeout(patience + CHECKPOINT_PATIENCE, &mut self.task).await {
            Ok(joined) => self.outcome(joined).err(),
            Err(_) => Some(self.error(
                "its disk did not answer in time; what it had not saved is delivered after a restart",
            )),
        }
    }

    fn outcome(&self, joined: Result<Result<(), OutputError>, JoinError>) -> Result<(), OutputError> {
        joined.unwrap_or_else(|error| Err(self.error(&format!("it panicked, please report this: {error}"))))
    }

    fn error(&self, reason: &str) -> OutputError {
        OutputError { id: self.id.clone(), reason: reason.to_owned() }
    }
}

async fn journal_failure(status: &mut watch::Receiver<Status>) -> Arc<str> {
    if let Ok(failed) = status.wait_for(|status| matches!(status, Status::Failed(_))).await
        && let Status::Failed(reason) = &*failed
    {
        return Arc::clone(reason);
    }
    std::future::pending().await
}

/// Resolves when an output ends by itself, which it only does in failure.
async fn first_failure(outputs: &mut Vec<RunningOutput>) -> OutputError {
    poll_fn(|context| {
        for index in 0..outputs.len() {
            if let Poll::Ready(joined) = Pin::new(&mut outputs[index].task).poll(context) {
                let output = outputs.remove(index);
                let ended = output.outcome(joined);
                return Poll::Ready(
                    ended.err().unwrap_or_else(|| output.error("it ended by itself, please report this")),
                );
            }
        }
        Poll::Pending
    })
    .await
}
