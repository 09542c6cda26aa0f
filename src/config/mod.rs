//! The typed configuration: complete, checked, and with every default filled in.
//!
//! Everything else in the program receives these types and never sees TOML.

mod filter;
mod input;
mod output;
mod server;

use std::path::PathBuf;

pub use filter::{FilterConfig, FilterKind};
pub use input::{InputConfig, TlsConfig};
pub use output::{FileFormat, InjectConfig, OutputConfig, OutputTake, StartAt};
pub use server::{AdminConfig, JournalConfig, LogConfig, LogFormat, MetricsConfig, ServerConfig};

/// A whole configuration file.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; `None` for the built-in development configuration.
    pub path: Option<PathBuf>,
    pub server: ServerConfig,
    pub log: LogConfig,
    pub journal: JournalConfig,
    pub inputs: Vec<InputConfig>,
    /// In the order in which they apply.
    pub filters: Vec<FilterConfig>,
    pub outputs: Vec<OutputConfig>,
    /// `/health` and `/ready`; `None` where it is switched off.
    pub health: Option<AdminConfig>,
    /// Fluentd's `/api/plugins.json`.
    pub monitor_agent: Option<AdminConfig>,
    /// Prometheus.
    pub metrics: Option<MetricsConfig>,
}
