//! What outputs count.

use std::fmt::Display;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{LabelValues, counter_family, gauge_family, register};
use crate::pipeline::Failure;

/// The families over all outputs.
#[derive(Debug)]
pub(super) struct OutputFamilies {
    hostname: String,
    tags: LabelValues,
    records_by_tag: IntCounterVec,
    buffer_total_bytes: IntGaugeVec,
    buffer_stage_bytes: IntGaugeVec,
    buffer_queue_bytes: IntGaugeVec,
    retry_count: IntCounterVec,
    retry_wait: IntGaugeVec,
    num_errors: IntCounterVec,
    emit_records: IntCounterVec,
    emit_count: IntCounterVec,
    write_count: IntCounterVec,
    rollback_count: IntCounterVec,
    flush_time_count: IntCounterVec,
    slow_flush_count: IntCounterVec,
    delivered_bytes: IntCounterVec,
    checkpoints: IntCounterVec,
    open_files: IntGaugeVec,
    under_way_bytes: IntGaugeVec,
    spare_bytes: IntGaugeVec,
    compression_threads: IntGaugeVec,
    uncompressed_bytes: IntCounterVec,
    compressed_bytes: IntCounterVec,
    dead_letters: IntCounterVec,
    undone_files: IntCounterVec,
    taken_back: IntCounterVec,
    abandoned_records: IntCounterVec,
    held_up: IntGaugeVec,
    surprising_files: IntCounterVec,
    filtered_records: IntCounterVec,
    filter_failures: IntCounterVec,
    disowned_records: IntCounterVec,
}

/// Labels of Fluentd's output metrics.
const PLUGIN: [&str; 2] = ["plugin_id", "type"];

impl OutputFamilies {
    pub(super) fn new(registry: &Registry, hostname: &str, max_label_values: usize) -> Self {
        let count = |name, help, labels: &[&str]| register(registry, counter_family(name, help, labels));
        let level = |name, help, labels: &[&str]| register(registry, gauge_family(name, help, labels));
        let families = Self {
            hostname: hostname.to_owned(),
            tags: LabelValues::new(max_label_values),
            records_by_tag: count(
                "fluentd_output_status_num_records_total",
                "Records delivered.",
                &["tag", "hostname"],
            ),
            buffer_total_bytes: level(
                "fluentd_output_status_buffer_total_bytes",
                "Bytes that the output still has to deliver.",
                &PLUGIN,
            ),
            buffer_stage_bytes: level(
                "fluentd_output_status_buffer_stage_byte_size",
                "Bytes formatted in memory and not yet written.",
                &PLUGIN,
            ),
            buffer_queue_bytes: level(
                "fluentd_output_status_buffer_queue_byte_size",
                "Bytes in the journal that the output has not read yet.",
                &PLUGIN,
            ),
            retry_count: count("fluentd_output_status_retry_count", "Retries of a failed write.", &PLUGIN),
            retry_wait: level("fluentd_output_status_retry_wait", "Seconds until the next retry.", &PLUGIN),
            num_errors: count("fluentd_output_status_num_errors", "Failed writes.", &PLUGIN),
            emit_records: count(
                "fluentd_output_status_emit_records",
                "Records that the output took.",
                &PLUGIN,
            ),
            emit_count: count("fluentd_output_status_emit_count", "Chunks that the output read.", &PLUGIN),
            write_count: count(
                "fluentd_output_status_write_count",
                "Writes of a buffer to its file.",
                &PLUGIN,
            ),
            rollback_count: count(
                "fluentd_output_status_rollback_count",
                "Writes taken back and repeated.",
                &PLUGIN,
            ),
            flush_time_count: count(
                "fluentd_output_status_flush_time_count",
                "Milliseconds spent writing.",
                &PLUGIN,
            ),
            slow_flush_count: count(
                "fluentd_output_status_slow_flush_count",
                "Flushes of over 20 s.",
                &PLUGIN,
            ),
            delivered_bytes: count("hikyaku_output_delivered_bytes_total", "Bytes delivered.", &["output"]),
            checkpoints: count(
                "hikyaku_output_checkpoints_total",
                "Checkpoints: synced, cursor saved.",
                &["output"],
            ),
            open_files: level("hikyaku_output_open_files", "Archive files held open.", &["output"]),
            under_way_bytes: level(
                "hikyaku_output_under_way_bytes",
                "Bytes of memory with plain text that is on its way into archive files.",
                &["output"],
            ),
            spare_bytes: level(
                "hikyaku_output_spare_bytes",
                "Bytes of memory of written lines that are kept for the next ones.",
                &["output"],
            ),
            compression_threads: level(
                "hikyaku_output_compression_threads",
                "Threads that compressed archive files the last time; compression_threads at most.",
                &["output"],
            ),
            uncompressed_bytes: count(
                "hikyaku_output_uncompressed_bytes_total",
                "Bytes that were compressed for archive files, before it, by gzip level.",
                &["output", "level"],
            ),
            compressed_bytes: count(
                "hikyaku_output_compressed_bytes_total",
                "What these bytes came out at, by gzip level.",
                &["output", "level"],
            ),
            dead_letters: count(
                "hikyaku_output_dead_letters_total",
                "Entries set aside as dead letters, by reason.",
                &["output", "reason"],
            ),
            undone_files: count(
                "hikyaku_output_undone_files_total",
                "Files cut back to their last checkpoint after a crash.",
                &["output"],
            ),
            taken_back: count(
                "hikyaku_output_taken_back_total",
                "Times that an output went back to its last checkpoint, since a sync had failed.",
                &["output"],
            ),
            abandoned_records: count(
                "hikyaku_output_abandoned_records_total",
                "Records that an output took and forgot when it went back to its last checkpoint: most are taken again.",
                &["output"],
            ),
            held_up: level(
                "hikyaku_output_held_up",
                "1 while an output can't go back to its last checkpoint, or no new one has held since, or nobody can tell what it left \
                 behind.",
                &["output"],
            ),
            surprising_files: count(
                "hikyaku_output_surprising_files_total",
                "Files that somebody else moved, cut, extended or removed, and that were left alone.",
                &["output", "what"],
            ),
            filtered_records: count(
                "hikyaku_output_filtered_records_total",
                "Records that filters dropped on the way to the output, or joined to the one before.",
                &["output", "what"],
            ),
            filter_failures: count(
                "hikyaku_filter_failures_total",
                "Records that a filter could not parse, time or remap, or found invalid, on the way to an output.",
                &["output", "filter", "type"],
            ),
            disowned_records: count(
                "hikyaku_disowned_records_total",
                "Records taken as invalid since their senders may not write what they hold, by input and reason.",
                &["input", "reason"],
            ),
        };
        families.records_by_tag.with_label_values(&["none", hostname]);
        families.buffer_total_bytes.with_label_values(&["none", "none"]);
        families.retry_count.with_label_values(&["none", "none"]);
        families
    }

    pub(super) fn bind(&self, id: &str, kind: &str) -> OutputMetrics {
        let labels = [id, kind];
        OutputMetrics {
            id: id.to_owned(),
            hostname: self.hostname.clone(),
            tags: self.tags.clone(),
            records_by_tag: self.records_by_tag.clone(),
            dead_letters: self.dead_letters.clone(),
            surprising_files: self.surprising_files.clone(),
            filtered_records: self.filtered_records.clone(),
            filter_failures: self.filter_failures.clone(),
            disowned_records: self.disowned_records.clone(),
            uncompressed_bytes: self.uncompressed_bytes.clone(),
            compressed_bytes: self.compressed_bytes.clone(),
            buffer_total_bytes: self.buffer_total_bytes.with_label_values(&labels),
            buffer_stage_bytes: self.buffer_stage_bytes.with_label_values(&labels),
            buffer_queue_bytes: self.buffer_queue_bytes.with_label_values(&labels),
            retry_count: self.retry_count.with_label_values(&labels),
            retry_wait: self.retry_wait.with_label_values(&labels),
            num_errors: self.num_errors.with_label_values(&labels),
            emit_records: self.emit_records.with_label_values(&labels),
            emit_count: self.emit_count.with_label_values(&labels),
            write_count: self.write_count.with_label_values(&labels),
            rollback_count: self.rollback_count.with_label_values(&labels),
            flush_time_count: self.flush_time_count.with_label_values(&labels),
            slow_flush_count: self.slow_flush_count.with_label_values(&labels),
            delivered_bytes: self.delivered_bytes.with_label_values(&[id]),
            checkpoints: self.checkpoints.with_label_values(&[id]),
            open_files: self.open_files.with_label_values(&[id]),
            under_way_bytes: self.under_way_bytes.with_label_values(&[id]),
            spare_bytes: self.spare_bytes.with_label_values(&[id]),
            compression_threads: self.compression_threads.with_label_values(&[id]),
            undone_files: self.undone_files.with_label_values(&[id]),
            taken_back: self.taken_back.with_label_values(&[id]),
            abandoned_records: self.abandoned_records.with_label_values(&[id]),
            held_up: self.held_up.with_label_values(&[id]),
        }
    }
}

/// The metrics of one output.
#[derive(Debug, Clone)]
pub struct OutputMetrics {
    id: String,
    hostname: String,
    tags: LabelValues,
    records_by_tag: IntCounterVec,
    dead_letters: IntCounterVec,
    surprising_files: IntCounterVec,
    filtered_records: IntCounterVec,
    filter_failures: IntCounterVec,
    disowned_records: IntCounterVec,
    uncompressed_bytes: IntCounterVec,
    compressed_bytes: IntCounterVec,
    /// Bytes still to deliver: `buffer_queue_bytes` and `buffer_stage_bytes` together.
    pub buffer_total_bytes: IntGauge,
    /// Bytes formatted in memory and not yet written.
    pub buffer_stage_bytes: IntGauge,
    /// Bytes in the journal that were not read yet.
    pub buffer_queue_bytes: IntGauge,
    /// Retries of a failed write.
    pub retry_count: IntCounter,
    /// Seconds until the next retry; 0 while none is needed.
    pub retry_wait: IntGauge,
    /// Failed writes.
    pub num_errors: IntCounter,
    /// Records taken.
    pub emit_records: IntCounter,
    /// Chunks read.
    pub emit_count: IntCounter,
    /// Writes of a buffer to its file.
    pub write_count: IntCounter,
    /// Writes taken back and repeated.
    pub rollback_count: IntCounter,
    /// Milliseconds spent writing.
    pub flush_time_count: IntCounter,
    /// Flushes that took over 20 s.
    pub slow_flush_count: IntCounter,
    /// Bytes delivered, as they lie in the files.
    pub delivered_bytes: IntCounter,
    /// Checkpoints done.
    pub checkpoints: IntCounter,
    /// Files held open.
    pub open_files: IntGauge,
    /// Bytes of memory with plain text on its way into files.
    pub under_way_bytes: IntGauge,
    /// Bytes of memory that is kept for lines to come.
    pub spare_bytes: IntGauge,
    pub compression_threads: IntGauge,
    /// Files cut back after a crash.
    pub undone_files: IntCounter,
    /// Times that the files went back to their last checkpoint in a process that went on.
    pub taken_back: IntCounter,
    /// Records taken and forgotten then.
    pub abandoned_records: IntCounter,
    /// Whether no checkpoint has held since: 0 or 1.
    pub held_up: IntGauge,
}

impl OutputMetrics {
    /// Counts records of one tag that were delivered.
    pub fn delivered(&self, tag: &[u8], count: u64) {
        self.records_by_tag.with_label_values(&[self.tags.admit(tag).as_str(), &self.hostname]).inc_by(count);
    }

    /// Counts entries that became dead letters; `reason` is one of a fixed set of words.
    pub fn dead_letter(&self, reason: &'static str, count: u64) {
        self.dead_letters.with_label_values(&[self.id.as_str(), reason]).inc_by(count);
    }

    /// Counts bytes that were compressed at a gzip level, and what they came out at.
    pub fn compressed(&self, level: impl Display, bytes: u64, to: u64) {
        let labels = [self.id.as_str(), &level.to_string()];
        self.uncompressed_bytes.with_label_values(&labels).inc_by(bytes);
        self.compressed_bytes.with_label_values(&labels).inc_by(to);
    }

    /// Counts records that filters dropped, and those that they joined to the one before.
    pub fn filtered(&self, dropped: u64, joined: u64) {
        for (what, count) in [("dropped", dropped), ("joined", joined)] {
            if count > 0 {
                self.filtered_records.with_label_values(&[self.id.as_str(), what]).inc_by(count);
            }
        }
    }

    /// Counts records that filters failed on.
    pub fn filter_failures(&self, failures: &[Failure]) {
        for Failure { filter, kind, events } in failures {
            let labels = [self.id.as_str(), &filter.to_string(), kind];
            self.filter_failures.with_label_values(&labels).inc_by(*events);
        }
    }

    /// Counts records of an input that were not their sender's to write; `reason` is one of a fixed set of words.
    pub fn disowned(&self, input: &str, reason: &'static str, count: u64) {
        self.disowned_records.with_label_values(&[input, reason]).inc_by(count);
    }

    /// Counts a file that somebody else changed; `what` is `moved`, `cut`, `extended` or `removed`.
    pub fn surprising_file(&self, what: &'static str) {
        self.surprising_files.with_label_values(&[self.id.as_str(), what]).inc();
    }
}
