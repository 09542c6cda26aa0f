//! `/metrics`, and `/aggregated_metrics` where Fluentd gathers its workers: hikyaku is one process, so both are the
//! same.

use std::sync::Arc;

use super::http::Routes;
use super::responses::{self, Answer};
use crate::metrics::Metrics;

/// The text format that [`Metrics::render`] writes.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

pub(super) struct MetricsRoutes {
    pub(super) metrics: Arc<Metrics>,
    pub(super) refresh: Box<dyn Fn() + Send + Sync>,
}

impl Routes for MetricsRoutes {
    fn answer(&self, path: &str, _query: &str) -> Option<Answer> {
        matches!(path, "/metrics" | "/aggregated_metrics").then(|| {
            (self.refresh)();
            match self.metrics.render() {
                Ok(text) => responses::text(CONTENT_TYPE, text),
                Err(error) => responses::internal_error(&error),
            }
        })
    }
}
