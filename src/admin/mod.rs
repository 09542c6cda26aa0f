//! What operators and their scripts ask over HTTP: GET and HEAD only, one request a connection.
//!
//! | section | convention | route | answer |
//! | --- | --- | --- | --- |
//! | `[health]` | 8889 | `/health` | 200 while the process lives |
//! | | | `/ready` | 200, or 503 and the reasons |
//! | `[metrics]` | 24231 | `/metrics`, `/aggregated_metrics` | Prometheus text |
//! | `[monitor_agent]` | 24220 | `/api/plugins.json`, `/api/plugins` | inputs, outputs, filters, as JSON or LTSV |
//! | | | `/api/config.json`, `/api/config` | the process, as JSON or LTSV |
//!
//! None of it shares a lock with the data path beyond those inside the metrics registry, and [`spawn`] gives it a
//! thread of its own, so that it goes on answering while the data path is saturated or waits for a full journal.

mod health;
mod http;
mod listeners;
mod metrics;
mod monitor_agent;
mod readiness;
mod responses;
#[cfg(test)]
mod test_client;

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

use self::health::HealthRoutes;
use self::http::{Limits, Routes};
use self::metrics::MetricsRoutes;
use self::monitor_agent::MonitorAgentRoutes;

pub use listeners::{BindError, Listeners};
pub use monitor_agent::{
    Category, InputNumbers, OutputNumbers, PluginInfo, ProcessInfo, filter_plugin, input_plugin,
    output_plugin, plugins,
};
pub use readiness::Readiness;

/// What the admin listeners answer from.
pub struct AdminState {
    /// Decides `/ready`.
    pub readiness: Readiness,
    /// Rendered for `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Runs before each rendering, to set the gauges that have to be computed. Must not block for long.
    pub refresh: Box<dyn Fn() + Send + Sync>,
    /// The plugins as they are now; [`plugins`] makes one for a configuration.
    pub plugins: Box<dyn Fn() -> Vec<PluginInfo> + Send + Sync>,
    /// What `/api/config.json` says.
    pub process: ProcessInfo,
}

impl fmt::Debug for AdminState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AdminState")
            .field("readiness", &self.readiness)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// The admin side could not start. The operating system refused it a resource; nothing in the config is wrong.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No thread or no event loop for it.
    #[error(
        "cannot start the thread that answers health checks and metrics: {0}. Raise the limits on processes and open files"
    )]
    Thread(#[source] std::io::Error),
    /// A bound listener could not be handed to the event loop.
    #[error("cannot accept connections for [{section}]: {source}. Raise the limit on open files")]
    Listener {
        /// The section of the config that the listener belongs to.
        section: &'static str,
        source: std::io::Error,
    },
}

/// Runs [`serve`] on a thread with an event loop of its own. Errors that come up there are logged and handed to
/// whoever joins the thread; it ends soon after `shutdown`.
pub fn spawn(
    listeners: Listeners,
    state: AdminState,
    shutdown: CancellationToken,
) -> Result<JoinHandle<Result<(), AdminError>>, AdminError> {
    let run = move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AdminError::Thread)?;
        runtime.block_on(serve(listeners, state, shutdown))
    };
    let run = || run().inspect_err(|error| tracing::error!("{error}"));
    std::thread::Builder::new().name("admin".to_owned()).spawn(run).map_err(AdminError::Thread)
}

/// Answers on all listeners until `shutdown`, then lets the answers under way finish. Cancel it last: `/ready` is to
/// say that the server is stopping while it still drains.
pub async fn serve(
    listeners: Listeners,
    state: AdminState,
    shutdown: CancellationToken,
) -> Result<(), AdminError> {
    let AdminState { readiness, metrics, refresh, plugins, process } = state;
    let routes: [(&'static str, Option<TcpListener>, Arc<dyn Routes>); 3] = [
        ("health", listeners.health, Arc::new(HealthRoutes { readiness })),
        ("monitor_agent", listeners.monitor_agent, Arc::new(MonitorAgentRoutes { plugins, process })),
        ("metrics", listeners.metrics, Arc::new(MetricsRoutes { metrics, refresh })),
    ];
    let mut servers = JoinSet::new();
    for (section, listener, routes) in routes {
        let Some(listener) = listener else { continue };
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|source| AdminError::Listener { section, source })?;
        servers.spawn(http::serve(section, listener, routes, Limits::default(), shutdown.clone()));
    }
    while let Some(ended) = servers.join_next().await {
        if let Err(error) = ended {
            tracing::error!("a listener for operators ended: {error}. Please report this as a bug");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
