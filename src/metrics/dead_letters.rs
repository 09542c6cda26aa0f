//! What the store of dead letters counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{counter_family, gauge_family, register};

/// The families over the outputs that write dead letters.
#[derive(Debug)]
pub(super) struct DeadLetterFamilies {
    bytes: IntGaugeVec,
    removed: IntCounterVec,
}

impl DeadLetterFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let bytes =
            gauge_family("hikyaku_dead_letters_bytes", "Bytes of files with dead letters.", &["output"]);
        let removed = counter_family(
            "hikyaku_dead_letters_removed_total",
            "Dead letters removed unread, since there were more than [dead_letters] max_size allows.",
            &["output"],
        );
        Self { bytes: register(registry, bytes), removed: register(registry, removed) }
    }

    pub(super) fn bind(&self, id: &str) -> DeadLetterMetrics {
        DeadLetterMetrics {
            bytes: self.bytes.with_label_values(&[id]),
            removed: self.removed.with_label_values(&[id]),
        }
    }
}

/// The metrics of one output that writes dead letters.
#[derive(Debug, Clone)]
pub struct DeadLetterMetrics {
    /// Bytes of its files.
    pub bytes: IntGauge,
    /// Letters removed because of the limit.
    pub removed: IntCounter,
}
