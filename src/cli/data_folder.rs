//! The options by which commands find the data folder of a server.

use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigErrors};

/// Either is enough.
#[derive(Debug, clap::Args)]
pub(super) struct DataFolder {
    /// The data folder [default: server.data_dir of the configuration]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// The configuration that names the data folder
    #[arg(
        short,
        long,
        value_name = "FILE",
        global = true,
        env = "HIKYAKU_CONFIG",
        default_value = "config/hikyaku.toml"
    )]
    config: PathBuf,
}

/// Nobody says where the data folder is.
#[derive(Debug, thiserror::Error)]
#[error("{0}\nName the data folder with --data-dir, or a configuration with -c")]
pub(super) struct NotFound(ConfigErrors);

impl DataFolder {
    /// The configuration that names it, or would.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// Where it is said to be.
    pub(super) fn path(&self) -> Result<PathBuf, NotFound> {
        match &self.data_dir {
            Some(data_dir) => Ok(data_dir.clone()),
            None => Ok(Config::load(&self.config).map_err(NotFound)?.server.data_dir),
        }
    }
}
