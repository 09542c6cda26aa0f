//! The typed configuration: complete, checked, and with every default filled in.
//!
//! Everything else in the program receives these types and never sees TOML.

mod error;
mod filter;
mod input;
mod listen;
mod load;
mod output;
mod ownership;
pub mod reference;
mod secret;
mod security;
mod server;
mod test_case;
#[cfg(test)]
mod tests;
mod units;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub(crate) use units::{parse_time, show_size, show_time};

pub use error::{ConfigErrors, InvalidConfig, Problem};
pub use filter::{
    Detector, FilterConfig, FilterKind, KeyFile, KeyFileError, LevelConfig, LevelNumbers, MaskConfig,
    MultilineConfig, OnError, ParseConfig, ParseFormat, SanitizeConfig, ThrottleConfig, TimeSource,
    TimeSourceFormat, TypedField, ValidateConfig, ValueType,
};
#[cfg(feature = "remap")]
pub use filter::{RemapConfig, RemapEnd};
pub use input::{CertificatePair, DEFAULT_SOCKET_MODE, InputConfig, TlsConfig};
pub use listen::{BadListenAddress, ListenAddress, MAX_SOCKET_PATH};
pub use output::{
    BacklogConfig, ClientTlsConfig, CompressionLevel, FileFormat, FileOutputConfig, ForwardOutputConfig,
    ForwardPoolConfig, ForwardServerConfig, GiveUpConfig, HeartbeatKind, HostPort, InjectConfig,
    MetadataHandling, OutputConfig, OutputKind, OutputTake, SrvConfig, StartAt, WhenBacklogged,
};
pub(crate) use output::{DEFAULT_MAX_SET_ASIDE, is_host_name};
pub use ownership::{OwnershipConfig, OwnershipRow};
pub use secret::Secret;
pub use security::{SecurityClient, SecurityConfig};
pub use server::{
    AdminConfig, DeadLettersConfig, JournalConfig, LogConfig, LogFormat, MetricsConfig, ServerConfig,
    WhenFull,
};
pub use test_case::{ExpectedEvent, TestCase, TestChunk, TestEvent};

/// Bytes of the largest configuration file that is read; thousands of times what any needs.
pub const MAX_FILE_SIZE: u64 = 4 * 1024 * 1024;

/// What `run --dev` runs: loopback only, everything below the working directory.
const DEVELOPMENT: &str = include_str!("../../config/dev.toml");

/// A whole configuration file.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; `None` for the built-in development configuration.
    pub path: Option<PathBuf>,
    pub server: ServerConfig,
    pub log: LogConfig,
    pub journal: JournalConfig,
    pub dead_letters: DeadLettersConfig,
    pub inputs: Vec<InputConfig>,
    /// In the order in which they apply.
    pub filters: Vec<FilterConfig>,
    pub outputs: Vec<OutputConfig>,
    /// What the file says about where events go.
    pub routing: RoutingText,
    /// `/health` and `/ready`; `None` where it is switched off.
    pub health: Option<AdminConfig>,
    /// Fluentd's `/api/plugins.json`.
    pub monitor_agent: Option<AdminConfig>,
    /// Prometheus.
    pub metrics: Option<MetricsConfig>,
}

/// What a file says about where events go: the text of each table, in their order, with what decides of it. The same over
/// versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutingText {
    pub inputs: Vec<String>,
    pub filters: Vec<String>,
    pub outputs: Vec<String>,
}

impl Config {
    /// Reads a file, with `${NAME}` from the environment of this process.
    ///
    /// # Errors
    /// Where the file can't be read, and all the mistakes in it at once.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text =
            read_file(path).map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, Some(path.to_owned()), &environment)
    }

    /// Reads the text of a file that is called `path`, with `${NAME}` from `environment`.
    ///
    /// # Errors
    /// All the mistakes at once.
    pub fn parse(
        text: &str,
        path: Option<PathBuf>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        let file =
            path.as_ref().map_or("built-in configuration".to_owned(), |path| path.display().to_string());
        let config = load::parse(text, &file, environment).map_err(ConfigErrors::Invalid)?;
        Ok(Self { path, ..config })
    }

    /// Whether every event that no filter drops goes to an output.
    pub fn has_a_place_for_every_event(&self) -> bool {
        let has_pipelines = self.outputs.iter().any(|output| output.pipeline.is_some());
        self.outputs.iter().any(|output| match &output.take {
            OutputTake::Fallback => true,
            take => !has_pipelines && take.is_everything(),
        })
    }

    /// The built-in configuration of `run --dev`.
    ///
    /// # Errors
    /// None in a released version: a test reads it.
    pub fn development() -> Result<Self, ConfigErrors> {
        Self::parse(DEVELOPMENT, None, &environment)
    }
}

/// A variable of this process.
fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The name of this machine.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_SIZE {
        let message = format!("it has more than {}", units::show_size(MAX_FILE_SIZE));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}
