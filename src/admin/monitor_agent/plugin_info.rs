//! One input, output or filter, as the monitor agent shows it.

use serde_json::{Value, json};

use super::query::Show;
use super::row::Row;
use crate::config::OutputTake;

/// What is known about a plugin at this moment.
#[derive(Debug, Clone)]
pub struct PluginInfo {
    /// The `id` from the config.
    pub plugin_id: String,
    /// The `type` from the config.
    pub kind: String,
    /// The keys of its section and their values. Secrets may be in it: they are masked when it is shown.
    pub config: Vec<(String, String)>,
    /// Input, output or filter, with the numbers that go with it.
    pub category: Category,
    /// More counters, shown with `?debug=1`.
    pub internals: Vec<(&'static str, i64)>,
}

/// `plugin_category`
#[derive(Debug, Clone)]
pub enum Category {
    Input(InputNumbers),
    Output {
        numbers: OutputNumbers,
        /// What `?tag=` goes by.
        take: OutputTake,
    },
    Filter,
}

/// What Fluentd tells about an input.
#[derive(Debug, Clone, Copy, Default)]
pub struct InputNumbers {
    /// Records taken.
    pub emit_records: u64,
    /// Their bytes.
    pub emit_size: u64,
}

/// What Fluentd tells about an output.
#[derive(Debug, Clone, Default)]
pub struct OutputNumbers {
    /// Journal segments that are still to be read, a started one included.
    pub buffer_queue_length: u64,
    /// Bytes still to be delivered, staged ones included.
    pub buffer_total_queued_size: u64,
    /// Retries since the start of the process.
    pub retry_count: u64,
    /// Records taken.
    pub emit_records: u64,
    /// Chunks read.
    pub emit_count: u64,
    /// Writes.
    pub write_count: u64,
    /// Writes taken back.
    pub rollback_count: u64,
    /// Flushes that took too long.
    pub slow_flush_count: u64,
    /// Milliseconds spent writing.
    pub flush_time_count: u64,
    /// 1 while formatted events are held in memory, else 0.
    pub buffer_stage_length: u64,
    /// Bytes of formatted events in memory.
    pub buffer_stage_byte_size: u64,
    /// Bytes in the journal that were not read yet.
    pub buffer_queue_byte_size: u64,
    /// Percent of the journal that this output does not hold back, 0 to 100.
    pub buffer_available_buffer_space_ratios: f64,
    /// When a failed write is tried again; `None` while none has failed.
    pub next_retry: Option<jiff::Timestamp>,
}

impl PluginInfo {
    /// The keys in Fluentd's order.
    pub(super) fn row(&self, show: Show) -> Row {
        let mut row = Row::default();
        row.push("plugin_id", self.plugin_id.as_str());
        row.push("plugin_category", self.category.name());
        row.push("type", self.kind.as_str());
        if show.config {
            row.push_row("config", self.masked_config());
        }
        match &self.category {
            Category::Input(numbers) => numbers.push_to(&mut row),
            Category::Output { numbers, .. } => numbers.push_to(&mut row, show.retry),
            Category::Filter => push_no_output(&mut row),
        }
        if show.debug {
            row.push_row("instance_variables", self.internals_row());
        }
        row
    }

    fn masked_config(&self) -> Row {
        let mut row = Row::default();
        for (key, value) in &self.config {
            row.push(key.as_str(), if is_secret(key) { MASK } else { value });
        }
        row
    }

    fn internals_row(&self) -> Row {
        let mut row = Row::default();
        for (name, number) in &self.internals {
            row.push(*name, *number);
        }
        row
    }
}

impl Category {
    fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Output { .. } => "output",
            Self::Filter => "filter",
        }
    }
}

impl InputNumbers {
    fn push_to(&self, row: &mut Row) {
        push_no_output(row);
        row.push("emit_records", self.emit_records);
        row.push("emit_size", self.emit_size);
    }
}

impl OutputNumbers {
    fn push_to(&self, row: &mut Row, with_retry: bool) {
        row.push("output_plugin", true);
        row.push("buffer_queue_length", self.buffer_queue_length);
        // Events are grouped by hour in memory only, so there is never a time slice that waits.
        row.push("buffer_timekeys", json!([]));
        row.push("buffer_total_queued_size", self.buffer_total_queued_size);
        row.push("retry_count", self.retry_count);
        row.push("emit_records", self.emit_records);
        // Fluentd leaves it at 0 too, unless it is told to count bytes.
        row.push("emit_size", 0);
        row.push("emit_count", self.emit_count);
        row.push("write_count", self.write_count);
        row.push("rollback_count", self.rollback_count);
        row.push("slow_flush_count", self.slow_flush_count);
        row.push("flush_time_count", self.flush_time_count);
        row.push("buffer_stage_length", self.buffer_stage_length);
        row.push("buffer_stage_byte_size", self.buffer_stage_byte_size);
        row.push("buffer_queue_byte_size", self.buffer_queue_byte_size);
        row.push("buffer_available_buffer_space_ratios", self.buffer_available_buffer_space_ratios);
        if with_retry {
            row.push_row("retry", self.retry());
        }
    }

    /// Empty while nothing is retried. Ruby's spelling of a time.
    fn retry(&self) -> Row {
        let mut row = Row::default();
        if let Some(time) = self.next_retry {
            row.push("next_time", time.strftime("%Y-%m-%d %H:%M:%S +0000").to_string());
        }
        row
    }
}

fn push_no_output(row: &mut Row) {
    row.push("output_plugin", false);
    row.push("retry_count", Value::Null);
}

/// What Fluentd shows in place of a secret.
pub(super) const MASK: &str = "xxxxxx";

/// Whether the last part of `tls.key` or `security.shared_key` names a secret.
fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    matches!(
        name.as_str(),
        "key" | "secret" | "token" | "password" | "passphrase" | "apikey" | "authorization"
    ) || ["_key", "_secret", "_token", "_password", "_passphrase"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_by_the_last_part_of_a_key() {
        for key in ["key", "tls.key", "shared_key", "security.shared_key", "PASSWORD", "s3.secret_access_key"]
        {
            assert!(is_secret(key), "{key}");
        }
        for key in ["path", "tls.cert", "keys", "key.path", "monkey", "@type", "match"] {
            assert!(!is_secret(key), "{key}");
        }
    }
}
