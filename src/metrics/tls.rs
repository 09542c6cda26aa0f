//! What is counted of TLS files that are taken up again.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{counter_family, gauge_family, register};

/// The families over all inputs and outputs.
#[derive(Debug, Clone)]
pub(super) struct TlsFamilies {
    reloads: IntCounterVec,
    reload_failed: IntGaugeVec,
}

impl TlsFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            reloads: register(
                registry,
                counter_family(
                    "hikyaku_tls_reloads_total",
                    "Changed TLS files that were read, by input or output and by whether they are in use now.",
                    &["id", "result"],
                ),
            ),
            reload_failed: register(
                registry,
                gauge_family(
                    "hikyaku_tls_reload_failed",
                    "1 while TLS files have changed and do not load: those read before are in use.",
                    &["id"],
                ),
            ),
        }
    }

    pub(super) fn bind(&self, id: &str) -> TlsMetrics {
        TlsMetrics {
            loaded: self.reloads.with_label_values(&[id, "loaded"]),
            failed: self.reloads.with_label_values(&[id, "failed"]),
            reload_failed: self.reload_failed.with_label_values(&[id]),
        }
    }
}

/// The metrics of the TLS files of one input or output.
#[derive(Debug, Clone)]
pub struct TlsMetrics {
    loaded: IntCounter,
    failed: IntCounter,
    reload_failed: IntGauge,
}

impl TlsMetrics {
    /// Changed files are in use now.
    pub fn loaded(&self) {
        self.loaded.inc();
        self.reload_failed.set(0);
    }

    /// Changed files do not load.
    pub fn failed(&self) {
        self.failed.inc();
        self.reload_failed.set(1);
    }

    /// The files are again those in use.
    pub fn restored(&self) {
        self.reload_failed.set(0);
    }
}
