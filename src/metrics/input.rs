//! What inputs count.

use std::time::Duration;

use prometheus::{
    CounterVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::tls::{TlsFamilies, TlsMetrics};
use super::{LabelValues, counter_family, gauge_family, latency, register};

/// The families over all inputs.
#[derive(Debug)]
pub(super) struct InputFamilies {
    hostname: String,
    tags: LabelValues,
    senders: LabelValues,
    records_by_tag: IntCounterVec,
    chunks: IntCounterVec,
    records: IntCounterVec,
    bytes: IntCounterVec,
    connections: IntGaugeVec,
    accepted_connections: IntCounterVec,
    refused_connections: IntCounterVec,
    rejected_messages: IntCounterVec,
    bad_entries: IntCounterVec,
    dead_messages: IntCounterVec,
    remembered_refusals: IntGaugeVec,
    idle_connections: IntCounterVec,
    throttled: CounterVec,
    in_flight_bytes: IntGaugeVec,
    spare_bytes: IntGaugeVec,
    spool_bytes: IntGaugeVec,
    large_messages: IntCounterVec,
    ack_latency: HistogramVec,
    tls: TlsFamilies,
}

impl InputFamilies {
    pub(super) fn new(
        registry: &Registry,
        hostname: &str,
        max_label_values: usize,
        tls: &TlsFamilies,
    ) -> Self {
        let count = |name, help, labels: &[&str]| register(registry, counter_family(name, help, labels));
        let level = |name, help, labels: &[&str]| register(registry, gauge_family(name, help, labels));
        let families = Self {
            hostname: hostname.to_owned(),
            tags: LabelValues::new(max_label_values),
            senders: LabelValues::new(max_label_values),
            records_by_tag: count(
                "fluentd_input_status_num_records_total",
                "Records taken into the journal.",
                &["tag", "hostname"],
            ),
            chunks: count("hikyaku_input_chunks_total", "Chunks taken into the journal.", &["input"]),
            records: count("hikyaku_input_records_total", "Records taken into the journal.", &["input"]),
            bytes: count("hikyaku_input_bytes_total", "Bytes of complete messages read.", &["input"]),
            connections: level(
                "hikyaku_input_connections",
                "Connections open now, by sender.",
                &["input", "sender"],
            ),
            accepted_connections: count(
                "hikyaku_input_accepted_connections_total",
                "Connections accepted, TLS included.",
                &["input"],
            ),
            refused_connections: count(
                "hikyaku_input_refused_connections_total",
                "Connections refused before the first message, by reason.",
                &["input", "reason"],
            ),
            rejected_messages: count(
                "hikyaku_input_rejected_messages_total",
                "Messages refused without an acknowledgement, by reason.",
                &["input", "reason"],
            ),
            bad_entries: count(
                "hikyaku_input_bad_entries_total",
                "Entries that do not decode, taken into the journal for the dead letters.",
                &["input"],
            ),
            dead_messages: count(
                "hikyaku_input_dead_messages_total",
                "Messages that were refused three times and taken into the journal for the dead letters.",
                &["input"],
            ),
            remembered_refusals: level(
                "hikyaku_input_remembered_refusals",
                "Refused messages that would be recognised if they came again.",
                &["input"],
            ),
            idle_connections: count(
                "hikyaku_input_idle_connections_closed_total",
                "Connections closed after idle_timeout.",
                &["input"],
            ),
            throttled: register(
                registry,
                CounterVec::new(
                    Opts::new(
                        "hikyaku_input_throttled_seconds_total",
                        "Seconds that connections waited before their next message, by the limit that they were at.",
                    ),
                    &["input", "limit"],
                )
                .expect("metric names are valid"),
            ),
            in_flight_bytes: level(
                "hikyaku_input_in_flight_bytes",
                "Bytes held between reading and sync.",
                &["input"],
            ),
            spare_bytes: level(
                "hikyaku_input_spare_bytes",
                "Bytes of memory that messages left and that wait for the next ones.",
                &["input"],
            ),
            spool_bytes: level(
                "hikyaku_input_spool_bytes",
                "Bytes of large messages that are on their way through files.",
                &["input"],
            ),
            large_messages: count(
                "hikyaku_input_large_messages_total",
                "Messages that came whole through files.",
                &["input"],
            ),
            ack_latency: register(
                registry,
                HistogramVec::new(
                    latency(
                        "hikyaku_input_ack_latency_seconds",
                        "From the last byte of a message to its acknowledgement being written.",
                    ),
                    &["input"],
                )
                .expect("metric names are valid"),
            ),
            tls: tls.clone(),
        };
        families.records_by_tag.with_label_values(&["none", hostname]);
        families
    }

    pub(super) fn bind(&self, id: &str) -> InputMetrics {
        for reason in REJECTIONS {
            self.rejected_messages.with_label_values(&[id, reason]);
        }
        InputMetrics {
            id: id.to_owned(),
            hostname: self.hostname.clone(),
            tags: self.tags.clone(),
            senders: self.senders.clone(),
            records_by_tag: self.records_by_tag.clone(),
            chunks: self.chunks.with_label_values(&[id]),
            records: self.records.with_label_values(&[id]),
            bytes: self.bytes.with_label_values(&[id]),
            connections: self.connections.clone(),
            accepted_connections: self.accepted_connections.with_label_values(&[id]),
            refused_connections: self.refused_connections.clone(),
            rejected_messages: self.rejected_messages.clone(),
            bad_entries: self.bad_entries.with_label_values(&[id]),
            dead_messages: self.dead_messages.with_label_values(&[id]),
            remembered_refusals: self.remembered_refusals.with_label_values(&[id]),
            idle_connections: self.idle_connections.with_label_values(&[id]),
            throttled: self.throttled.clone(),
            in_flight_bytes: self.in_flight_bytes.with_label_values(&[id]),
            spare_bytes: self.spare_bytes.with_label_values(&[id]),
            spool_bytes: self.spool_bytes.with_label_values(&[id]),
            large_messages: self.large_messages.with_label_values(&[id]),
            ack_latency: self.ack_latency.with_label_values(&[id]),
            tls: self.tls.clone(),
        }
    }
}

/// Reasons that have a sample from the start, so that a rate over them works from the first one on.
const REJECTIONS: [&str; 8] = [
    "malformed",
    "too_large",
    "corrupt_compression",
    "entry_too_large",
    "too_deep",
    "inflate_ratio",
    "too_slow",
    "journal_full",
];

/// The metrics of one input.
#[derive(Debug, Clone)]
pub struct InputMetrics {
    id: String,
    hostname: String,
    tags: LabelValues,
    senders: LabelValues,
    records_by_tag: IntCounterVec,
    connections: IntGaugeVec,
    refused_connections: IntCounterVec,
    rejected_messages: IntCounterVec,
    tls: TlsFamilies,
    throttled: CounterVec,
    /// Chunks taken into the journal.
    pub chunks: IntCounter,
    /// Records taken into the journal.
    pub records: IntCounter,
    /// Bytes of complete messages.
    pub bytes: IntCounter,
    /// Connections that got as far as the first message.
    pub accepted_connections: IntCounter,
    /// Entries that do not decode.
    pub bad_entries: IntCounter,
    /// Messages that were refused three times and taken as they are.
    pub dead_messages: IntCounter,
    /// Refused messages that are remembered.
    pub remembered_refusals: IntGauge,
    /// Connections closed after `idle_timeout`.
    pub idle_connections: IntCounter,
    /// Bytes held between reading and sync.
    pub in_flight_bytes: IntGauge,
    /// Bytes of memory that messages left and that wait for the next ones.
    pub spare_bytes: IntGauge,
    /// Bytes of large messages that are on their way through files.
    pub spool_bytes: IntGauge,
    /// Messages that came whole through files.
    pub large_messages: IntCounter,
    /// Seconds from the last byte of a message to its written acknowledgement.
    pub ack_latency: Histogram,
}

impl InputMetrics {
    /// Counts the records of one chunk that is in the journal.
    pub fn records(&self, tag: &[u8], count: u64) {
        self.records_by_tag.with_label_values(&[self.tags.admit(tag).as_str(), &self.hostname]).inc_by(count);
        self.records.inc_by(count);
    }

    /// Of the TLS files.
    pub fn tls(&self) -> TlsMetrics {
        self.tls.bind(&self.id)
    }

    /// How many connections this sender has open now.
    pub fn connections(&self, sender: &str) -> IntGauge {
        self.connections.with_label_values(&[self.id.as_str(), &self.senders.admit(sender.as_bytes())])
    }

    /// Counts a connection that was refused; `reason` is one of a fixed set of words.
    pub fn refuse_connection(&self, reason: &'static str) {
        self.refused_connections.with_label_values(&[self.id.as_str(), reason]).inc();
    }

    /// Counts how long a connection waited at a limit, which is one of a fixed set of keys.
    pub fn throttled(&self, limit: &'static str, waited: Duration) {
        self.throttled.with_label_values(&[self.id.as_str(), limit]).inc_by(waited.as_secs_f64());
    }

    /// Counts a message that was refused; `reason` is one of a fixed set of words.
    pub fn reject_message(&self, reason: &'static str) {
        self.rejected_messages.with_label_values(&[self.id.as_str(), reason]).inc();
    }
}
