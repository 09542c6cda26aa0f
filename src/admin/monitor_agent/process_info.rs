//! `/api/config.json`: which process this is.

use std::path::Path;

use serde_json::{Value, json};

use super::row::Row;

/// What the process was started with.
#[derive(Debug, Clone)]
pub struct ProcessInfo {
    config_path: Option<String>,
    root_dir: String,
}

impl ProcessInfo {
    /// `config_path` is the file that the configuration came from, where it came from one.
    pub fn new(config_path: Option<&Path>, data_dir: &Path) -> Self {
        Self { config_path: config_path.map(text), root_dir: text(data_dir) }
    }

    /// The keys of Fluentd; those that mean nothing here are as in a Fluentd that does not use them.
    pub(super) fn row(&self) -> Row {
        let mut row = Row::default();
        row.push("pid", std::process::id());
        row.push("ppid", std::os::unix::process::parent_id());
        row.push("version", env!("CARGO_PKG_VERSION"));
        row.push("config_path", self.config_path.clone());
        row.push("pid_file", Value::Null);
        row.push("plugin_dirs", json!([]));
        row.push("log_path", Value::Null);
        row.push("root_dir", self.root_dir.as_str());
        row
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
