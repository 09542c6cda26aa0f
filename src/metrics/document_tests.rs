//! Holds docs/metrics.md against what a server registers.

use std::cell::RefCell;
use std::collections::BTreeMap;

use prometheus::core::{Collector, Desc};

use super::Metrics;

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md"));

thread_local! {
    static REGISTERED: RefCell<Vec<Desc>> = const { RefCell::new(Vec::new()) };
}

/// A registry tells only of families that have samples; this one has all of them.
pub(super) fn note(collector: &impl Collector) {
    REGISTERED.with_borrow_mut(|registered| registered.extend(collector.desc().into_iter().cloned()));
}

/// The labels of every family, by its name.
fn registered() -> BTreeMap<String, Vec<String>> {
    REGISTERED.take();
    Metrics::new("logserver-1", 10).given_up_journal();
    let labels = |desc: Desc| (desc.fq_name, desc.variable_labels);
    REGISTERED.take().into_iter().map(labels).collect()
}

/// The cells of each row that tells of a metric.
fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    DOCUMENT.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("four cells expected: {cells:?}"))
    })
}

#[test]
fn every_metric_is_described_with_its_labels() {
    let described: BTreeMap<_, _> =
        rows().map(|[name, labels, ..]| (name.trim_matches('`'), labels)).collect();
    for (name, labels) in registered() {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let found = described.get(name.as_str()).copied();
        assert_eq!(found, Some(labels.join(", ").as_str()), "{name} in docs/metrics.md");
    }
}

#[test]
fn nothing_is_described_that_is_not_there_or_twice() {
    let registered = registered();
    let mut names: Vec<_> = rows().map(|[name, ..]| name.trim_matches('`')).collect();
    for name in &names {
        assert!(registered.contains_key(*name), "{name} is no metric");
    }
    names.sort_unstable();
    assert_eq!(names.len(), registered.len(), "some metric has two rows");
}

#[test]
fn every_row_says_a_unit_and_a_meaning() {
    const UNITS: [&str; 12] = [
        "bytes",
        "seconds",
        "milliseconds",
        "days",
        "events",
        "entries",
        "chunks",
        "messages",
        "letters",
        "0 or 1",
        "lines",
        "times",
    ];
    for [name, _, unit, meaning] in rows() {
        assert!(UNITS.contains(&unit) || unit.starts_with("number of "), "{name}: {unit}");
        assert!(meaning.len() > 10 && meaning.ends_with('.'), "{name}: {meaning}");
        assert_eq!(name.contains("_bytes") || name.contains("byte_size"), unit == "bytes", "{name}: {unit}");
        assert_eq!(
            name.contains("_seconds") || name.contains("retry_wait"),
            unit == "seconds",
            "{name}: {unit}"
        );
    }
}
