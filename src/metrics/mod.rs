//! Counters and gauges of the whole process, as Prometheus reads them.
//!
//! Names that begin with `fluentd_` are Fluentd's, so that its dashboards and scripts go on working: those scripts
//! `grep` for a name and add up the second column, so label values hold neither spaces nor `#`, every one of those
//! names always has a sample, and no other name contains one of them. Ours begin with `hikyaku_`.
//!
//! docs/metrics.md describes each of them, and what an operator does when it moves. A handle with its labels bound
//! ([`InputMetrics`], [`OutputMetrics`]) is made once; counting is an atomic add.

mod dead_letters;
#[cfg(test)]
mod document_tests;
mod forward_output;
mod input;
mod journal;
mod labels;
mod output;
mod output_servers;
mod tls;

use std::sync::Arc;

use crate::logging;
use prometheus::core::Collector;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

pub use dead_letters::DeadLetterMetrics;
pub use forward_output::{AwaitedAck, ForwardOutputMetrics, GivenUpMetrics};
pub use input::InputMetrics;
pub use journal::JournalMetrics;
pub use labels::LabelValues;
pub use output::OutputMetrics;
pub use output_servers::OutputServersMetrics;
pub use tls::TlsMetrics;

/// All metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    inputs: input::InputFamilies,
    outputs: output::OutputFamilies,
    dead_letters: dead_letters::DeadLetterFamilies,
    forward_outputs: forward_output::ForwardOutputFamilies,
    output_servers: output_servers::ServerFamilies,
    /// The one journal.
    pub journal: JournalMetrics,
    certificate_days_left: IntGaugeVec,
    tls: tls::TlsFamilies,
}

impl Metrics {
    /// `hostname` fills the label of that name; `max_label_values` bounds the tags and the senders that get samples
    /// of their own.
    pub fn new(hostname: &str, max_label_values: usize) -> Arc<Self> {
        let registry = Registry::new();
        let hostname = labels::safe(hostname);
        let tls = tls::TlsFamilies::new(&registry);
        register(&registry, logging::lines_total());
        register(&registry, logging::folded_total());
        let metrics = Self {
            inputs: input::InputFamilies::new(&registry, &hostname, max_label_values, &tls),
            outputs: output::OutputFamilies::new(&registry, &hostname, max_label_values),
            dead_letters: dead_letters::DeadLetterFamilies::new(&registry),
            forward_outputs: forward_output::ForwardOutputFamilies::new(&registry),
            output_servers: output_servers::ServerFamilies::new(&registry),
            journal: JournalMetrics::new(&registry),
            certificate_days_left: register(
                &registry,
                gauge_family(
                    "hikyaku_certificate_days_left",
                    "Days until a certificate that the server uses expires, by file; negative afterwards.",
                    &["file"],
                ),
            ),
            tls,
            registry,
        };
        Arc::new(metrics)
    }

    /// Of the journal of what outputs give up; to be asked for once, where there is one.
    pub fn given_up_journal(&self) -> JournalMetrics {
        JournalMetrics::of_given_up(&self.registry)
    }

    /// The handle of the input with this `id`.
    pub fn input(&self, id: &str) -> InputMetrics {
        self.inputs.bind(id)
    }

    /// The handle of the output with this `id` and `type`.
    pub fn output(&self, id: &str, kind: &str) -> OutputMetrics {
        self.outputs.bind(id, kind)
    }

    /// The handle of the TLS files of the input or output with this `id`.
    pub fn tls(&self, id: &str) -> TlsMetrics {
        self.tls.bind(id)
    }

    /// What the output with this `id`, which writes dead letters, counts beside that.
    pub fn dead_letters(&self, id: &str) -> DeadLetterMetrics {
        self.dead_letters.bind(id)
    }

    /// What the forward output with this `id` counts beside that.
    pub fn forward_output(&self, id: &str) -> ForwardOutputMetrics {
        self.forward_outputs.bind(id)
    }

    /// What the output with this `id` counts where it can give up.
    pub fn given_up(&self, id: &str) -> GivenUpMetrics {
        self.forward_outputs.bind_given_up(id)
    }

    /// The upstream servers of the output with this `id`.
    pub fn output_servers(&self, id: &str) -> OutputServersMetrics {
        self.output_servers.bind(id)
    }

    /// Days until the certificate in a file expires; negative afterwards.
    pub fn certificate_days_left(&self, file: &str) -> IntGauge {
        self.certificate_days_left.with_label_values(&[&labels::safe(file)])
    }

    /// The text that Prometheus scrapes.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Adds a family to the registry. The names are constants of this module, so a clash is a mistake of ours that the
/// first test finds.
fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> C {
    #[cfg(test)]
    document_tests::note(&collector);
    registry.register(Box::new(collector.clone())).expect("metric names are unique");
    collector
}

fn counter_family(name: &str, help: &str, label_names: &[&str]) -> prometheus::IntCounterVec {
    prometheus::IntCounterVec::new(Opts::new(name, help), label_names).expect("metric names are valid")
}

fn gauge_family(name: &str, help: &str, label_names: &[&str]) -> IntGaugeVec {
    IntGaugeVec::new(Opts::new(name, help), label_names).expect("metric names are valid")
}

fn counter(name: &str, help: &str) -> prometheus::IntCounter {
    prometheus::IntCounter::new(name, help).expect("metric names are valid")
}

fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect("metric names are valid")
}

/// From a tenth of a millisecond to ten seconds: a sync on flash, on a disk, on a disk in trouble.
const LATENCY_BUCKETS: [f64; 13] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

fn latency(name: &str, help: &str) -> prometheus::HistogramOpts {
    prometheus::HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: [&str; 4] = [
        "fluentd_input_status_num_records_total",
        "fluentd_output_status_num_records_total",
        "fluentd_output_status_buffer_total_bytes",
        "fluentd_output_status_retry_count",
    ];

    #[test]
    fn the_four_names_of_the_manual_have_a_sample_before_anything_happened() {
        let metrics = Metrics::new("logserver-1", 10);
        let text = metrics.render().unwrap();
        for name in MANUAL {
            let samples: Vec<&str> =
                text.lines().filter(|line| line.contains(name) && !line.contains('#')).collect();
            assert!(!samples.is_empty(), "{name} has no sample");
            for sample in samples {
                assert_eq!(sample.split(' ').count(), 2, "{sample}");
                sample.split(' ').nth(1).unwrap().parse::<i64>().unwrap();
            }
        }
    }

    #[test]
    fn no_other_name_contains_one_of_the_manual() {
        let metrics = Metrics::new("logserver-1", 10);
        metrics.output("archive", "file");
        metrics.input("edge");
        for family in metrics.registry.gather() {
            for name in MANUAL {
                assert!(family.name() == name || !family.name().contains(name), "{}", family.name());
            }
        }
    }

    #[test]
    fn tags_with_spaces_do_not_move_the_second_column() {
        let metrics = Metrics::new("log server #1", 10);
        metrics.input("edge").records(b"a tag # with\nall sorts", 3);
        let text = metrics.render().unwrap();
        let line = text.lines().find(|line| line.contains("a_tag")).unwrap();
        assert_eq!(line.split_whitespace().nth(1), Some("3"));
        assert!(!line.contains('#'));
    }

    #[test]
    fn tags_past_the_limit_are_counted_together() {
        let metrics = Metrics::new("logserver-1", 2);
        let input = metrics.input("edge");
        for tag in ["a", "b", "c", "d", "a"] {
            input.records(tag.as_bytes(), 1);
        }
        let text = metrics.render().unwrap();
        let of = |tag: &str| {
            text.lines()
                .find(|line| line.starts_with(MANUAL[0]) && line.contains(&format!("tag=\"{tag}\"")))
                .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        };
        assert_eq!(of("a").as_deref(), Some("2"));
        assert_eq!(of("b").as_deref(), Some("1"));
        assert_eq!(of("c"), None);
        assert_eq!(of("other").as_deref(), Some("2"));
    }
}
