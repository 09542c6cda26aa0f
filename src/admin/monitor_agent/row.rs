//! One line of LTSV, or one JSON object with its keys in order.

use std::fmt::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// Keys and values in the order in which they are shown.
#[derive(Debug, Default)]
pub(super) struct Row {
    cells: Vec<(String, Cell)>,
}

#[derive(Debug)]
enum Cell {
    Value(Value),
    Row(Row),
}

impl Row {
    pub(super) fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.cells.push((key.into(), Cell::Value(value.into())));
    }

    pub(super) fn push_row(&mut self, key: impl Into<String>, row: Row) {
        self.cells.push((key.into(), Cell::Row(row)));
    }

    /// `key:value` separated by tabs, with a line feed. As in Fluentd nested rows are left out, lists are joined by
    /// commas, and null is nothing.
    pub(super) fn ltsv(&self) -> String {
        let mut line = String::new();
        for (key, cell) in &self.cells {
            let Cell::Value(value) = cell else { continue };
            let separator = if line.is_empty() { "" } else { "\t" };
            // Writing to a String does not fail.
            let _ = write!(line, "{separator}{key}:{}", plain(value));
        }
        line.push('\n');
        line
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (key, cell) in &self.cells {
            match cell {
                Cell::Value(value) => map.serialize_entry(key, value)?,
                Cell::Row(row) => map.serialize_entry(key, row)?,
            }
        }
        map.end()
    }
}

/// A value without quotes, on one line and in one column.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['\t', '\n', '\r'], " "),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Row {
        let mut inner = Row::default();
        inner.push("z", "1");
        inner.push("a", "2");
        let mut row = Row::default();
        row.push("plugin_id", "archive");
        row.push_row("config", inner);
        row.push("output_plugin", true);
        row.push("buffer_timekeys", json!([10, 20]));
        row.push("retry_count", Value::Null);
        row.push("ratio", 99.5);
        row
    }

    #[test]
    fn json_keeps_the_order_of_the_keys() {
        assert_eq!(
            serde_json::to_string(&sample()).unwrap(),
            r#"{"plugin_id":"archive","config":{"z":"1","a":"2"},"output_plugin":true,"buffer_timekeys":[10,20],"retry_count":null,"ratio":99.5}"#
        );
    }

    #[test]
    fn ltsv_leaves_nested_rows_out() {
        assert_eq!(
            sample().ltsv(),
            "plugin_id:archive\toutput_plugin:true\tbuffer_timekeys:10,20\tretry_count:\tratio:99.5\n"
        );
    }

    #[test]
    fn a_tab_in_a_value_does_not_make_a_column() {
        let mut row = Row::default();
        row.push("id", "a\tb\nc");
        assert_eq!(row.ltsv(), "id:a b c\n");
    }
}
