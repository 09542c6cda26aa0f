//! How many lines there were. The log is the process's, and so are its counters.

use std::sync::LazyLock;

use prometheus::{IntCounter, IntCounterVec, Opts};

static LINES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let options = Opts::new("hikyaku_log_lines_total", "Lines of the server's own log, by level.");
    IntCounterVec::new(options, &["level"]).expect("the name and the label are valid")
});

static FOLDED: LazyLock<IntCounter> = LazyLock::new(|| {
    let help = "Lines of the server's own log that were not written, since they repeated one that was.";
    IntCounter::new("hikyaku_log_lines_folded_total", help).expect("the name is valid")
});

/// Lines written, by level.
pub(crate) fn lines_total() -> IntCounterVec {
    LINES.clone()
}

/// Lines that repeated another one.
pub(crate) fn folded_total() -> IntCounter {
    FOLDED.clone()
}

pub(super) fn written(level: &str) {
    LINES.with_label_values(&[level]).inc();
}

pub(super) fn folded() {
    FOLDED.inc();
}
