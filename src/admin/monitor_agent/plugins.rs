//! Plugins from the configuration and the metrics.

use crate::config::{Config, FilterConfig, InputConfig, OutputConfig};
use crate::metrics::{InputMetrics, Metrics, OutputMetrics};

use super::config_keys::{filter_keys, input_keys, output_keys};
use super::plugin_info::{Category, InputNumbers, OutputNumbers, PluginInfo};

/// Lists the inputs, then the outputs, then the filters of a configuration, with their numbers at the time of the call.
pub fn plugins(config: &Config, metrics: &Metrics) -> impl Fn() -> Vec<PluginInfo> + Send + Sync + use<> {
    let inputs: Vec<(InputConfig, InputMetrics)> =
        config.inputs.iter().map(|input| (input.clone(), metrics.input(&input.id))).collect();
    let outputs: Vec<(OutputConfig, OutputMetrics)> = config
        .outputs
        .iter()
        .map(|output| (output.clone(), metrics.output(&output.id, output.kind.name())))
        .collect();
    let filters = config.filters.clone();
    let journal = config.journal.clone();
    move || {
        let inputs = inputs.iter().map(|(config, metrics)| input_plugin(config, metrics));
        let outputs = outputs
            .iter()
            .map(|(config, metrics)| output_plugin(config, metrics, journal.max_size, journal.segment_size));
        let filters = filters.iter().enumerate().map(|(index, config)| filter_plugin(index, config));
        inputs.chain(outputs).chain(filters).collect()
    }
}

/// The only `type` that inputs have so far.
const FORWARD: &str = "forward";

/// An input of `type = "forward"`.
pub fn input_plugin(config: &InputConfig, metrics: &InputMetrics) -> PluginInfo {
    PluginInfo {
        plugin_id: config.id.clone(),
        kind: FORWARD.to_owned(),
        config: input_keys(FORWARD, config),
        category: Category::Input(InputNumbers {
            emit_records: metrics.records.get(),
            emit_size: metrics.bytes.get(),
        }),
        internals: vec![
            ("chunks", signed(metrics.chunks.get())),
            ("accepted_connections", signed(metrics.accepted_connections.get())),
            ("bad_entries", signed(metrics.bad_entries.get())),
            ("in_flight_bytes", metrics.in_flight_bytes.get()),
        ],
    }
}

/// An output; `journal_max_size` and `segment_size` are those of the journal that it reads, in bytes.
pub fn output_plugin(
    config: &OutputConfig,
    metrics: &OutputMetrics,
    journal_max_size: u64,
    segment_size: u64,
) -> PluginInfo {
    PluginInfo {
        plugin_id: config.id.clone(),
        kind: config.kind.name().to_owned(),
        config: output_keys(config),
        category: Category::Output {
            numbers: output_numbers(metrics, journal_max_size, segment_size),
            take: config.take.clone(),
        },
        internals: vec![
            ("num_errors", signed(metrics.num_errors.get())),
            ("retry_wait", metrics.retry_wait.get()),
            ("delivered_bytes", signed(metrics.delivered_bytes.get())),
            ("checkpoints", signed(metrics.checkpoints.get())),
            ("open_files", metrics.open_files.get()),
            ("undone_files", signed(metrics.undone_files.get())),
        ],
    }
}

/// The filter at this place in the config. Filters have no id of their own: the first is `filter_1`.
pub fn filter_plugin(index: usize, config: &FilterConfig) -> PluginInfo {
    let kind = config.kind.name();
    PluginInfo {
        plugin_id: format!("filter_{}", index + 1),
        kind: kind.to_owned(),
        config: filter_keys(kind, config),
        category: Category::Filter,
        internals: Vec::new(),
    }
}

fn output_numbers(metrics: &OutputMetrics, journal_max_size: u64, segment_size: u64) -> OutputNumbers {
    let queued = unsigned(metrics.buffer_queue_bytes.get());
    let staged = unsigned(metrics.buffer_stage_bytes.get());
    let retry_wait = metrics.retry_wait.get();
    OutputNumbers {
        buffer_queue_length: queued.div_ceil(segment_size.max(1)),
        buffer_total_queued_size: unsigned(metrics.buffer_total_bytes.get()),
        retry_count: metrics.retry_count.get(),
        emit_records: metrics.emit_records.get(),
        emit_count: metrics.emit_count.get(),
        write_count: metrics.write_count.get(),
        rollback_count: metrics.rollback_count.get(),
        slow_flush_count: metrics.slow_flush_count.get(),
        flush_time_count: metrics.flush_time_count.get(),
        buffer_stage_length: u64::from(staged > 0),
        buffer_stage_byte_size: staged,
        buffer_queue_byte_size: queued,
        buffer_available_buffer_space_ratios: available_percent(queued, journal_max_size),
        next_retry: (retry_wait > 0)
            .then(|| jiff::Timestamp::now().saturating_add(jiff::SignedDuration::from_secs(retry_wait)).ok())
            .flatten(),
    }
}

/// To one decimal, as Fluentd rounds it.
fn available_percent(queued: u64, limit: u64) -> f64 {
    if limit == 0 {
        return 0.0;
    }
    let available = limit.saturating_sub(queued) as f64 / limit as f64;
    (available * 1000.0).round() / 10.0
}

/// Counters stay below 2^63 in any process that ends.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Gauges may dip below zero between two updates.
fn unsigned(level: i64) -> u64 {
    u64::try_from(level).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "file";

    #[test]
    fn free_space_is_a_percentage_with_one_decimal() {
        assert_eq!(available_percent(0, 1000), 100.0);
        assert_eq!(available_percent(1, 1000), 99.9);
        assert_eq!(available_percent(333, 1000), 66.7);
        assert_eq!(available_percent(2000, 1000), 0.0);
        assert_eq!(available_percent(0, 0), 0.0);
    }

    #[test]
    fn a_started_segment_counts_in_the_length_of_the_queue() {
        let metrics = Metrics::new("logserver-1", 10).output("archive", FILE);
        for (bytes, segments) in [(0, 0), (1, 1), (64, 1), (65, 2), (-1, 0)] {
            metrics.buffer_queue_bytes.set(bytes);
            assert_eq!(output_numbers(&metrics, 1000, 64).buffer_queue_length, segments, "{bytes}");
        }
    }

    #[test]
    fn the_next_retry_is_told_only_while_one_is_due() {
        let metrics = Metrics::new("logserver-1", 10).output("archive", FILE);
        assert!(output_numbers(&metrics, 1000, 64).next_retry.is_none());
        metrics.retry_wait.set(30);
        let next = output_numbers(&metrics, 1000, 64).next_retry.unwrap();
        assert!(next > jiff::Timestamp::now());
    }
}
