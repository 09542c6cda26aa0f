//! What forward outputs count beside what all outputs do.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{counter_family, gauge_family, register};

/// Seconds: a server next door, one across an ocean, one that syncs to a disk in trouble, a timeout.
const ACK_LATENCY_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 190.0];

/// The families over all forward outputs.
#[derive(Debug)]
pub(super) struct ForwardOutputFamilies {
    awaited_acks: IntGaugeVec,
    in_doubt: IntGaugeVec,
    moved_in_doubt: IntCounterVec,
    ack_latency: HistogramVec,
    given_up: IntCounterVec,
}

impl ForwardOutputFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let level = |name, help| register(registry, gauge_family(name, help, &["output"]));
        let latency = prometheus::HistogramOpts::new(
            "hikyaku_output_ack_latency_seconds",
            "From the first byte of a message to its acknowledgement.",
        )
        .buckets(ACK_LATENCY_BUCKETS.to_vec());
        Self {
            awaited_acks: level(
                "hikyaku_output_awaited_acks",
                "Messages on a connection that are not acknowledged yet.",
            ),
            in_doubt: level(
                "hikyaku_output_in_doubt",
                "Messages of which nobody knows whether their server has them.",
            ),
            moved_in_doubt: register(
                registry,
                counter_family(
                    "hikyaku_output_moved_in_doubt_total",
                    "Messages that another server got while they were in doubt: they may be there twice.",
                    &["output"],
                ),
            ),
            given_up: register(
                registry,
                counter_family(
                    "hikyaku_output_given_up_records_total",
                    "Records that an output gave up, by where they went and whether the far side may have them all the same.",
                    &["output", "to", "in_doubt"],
                ),
            ),
            ack_latency: register(
                registry,
                HistogramVec::new(latency, &["output"]).expect("metric names are valid"),
            ),
        }
    }

    pub(super) fn bind(&self, id: &str) -> ForwardOutputMetrics {
        ForwardOutputMetrics {
            awaited_acks: self.awaited_acks.with_label_values(&[id]),
            in_doubt: self.in_doubt.with_label_values(&[id]),
            moved_in_doubt: self.moved_in_doubt.with_label_values(&[id]),
            ack_latency: self.ack_latency.with_label_values(&[id]),
            given_up: self.bind_given_up(id),
        }
    }

    pub(super) fn bind_given_up(&self, id: &str) -> GivenUpMetrics {
        GivenUpMetrics { id: id.to_owned(), records: self.given_up.clone() }
    }
}

/// What an output that can give up counts about that.
#[derive(Debug, Clone)]
pub struct GivenUpMetrics {
    id: String,
    records: IntCounterVec,
}

impl GivenUpMetrics {
    /// Counts records that were given up: to the dead letters, or to the output of this id.
    pub fn given_up(&self, to: &str, in_doubt: bool, records: u64) {
        let in_doubt = if in_doubt { "true" } else { "false" };
        self.records.with_label_values(&[self.id.as_str(), to, in_doubt]).inc_by(records);
    }
}

/// The metrics of one forward output.
#[derive(Debug, Clone)]
pub struct ForwardOutputMetrics {
    awaited_acks: IntGauge,
    /// Messages of which nobody knows whether their server has them.
    pub in_doubt: IntGauge,
    /// Messages that another server got while they were in doubt.
    pub moved_in_doubt: IntCounter,
    /// Seconds from the first byte of a message to its acknowledgement.
    pub ack_latency: Histogram,
    /// What was given up.
    pub given_up: GivenUpMetrics,
}

impl ForwardOutputMetrics {
    /// Counts a message that waits for its acknowledgement, if it does, until the guard goes.
    pub fn waits_for_ack(&self, waits: bool) -> AwaitedAck {
        let gauge = waits.then(|| self.awaited_acks.clone());
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        AwaitedAck { gauge }
    }
}

/// A message that waits for its acknowledgement.
#[derive(Debug)]
pub struct AwaitedAck {
    gauge: Option<IntGauge>,
}

impl Drop for AwaitedAck {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.dec();
        }
    }
}
