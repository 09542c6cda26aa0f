//! `hikyaku dead-letter`: what could not be delivered, also while a server runs.

mod cat;
mod drop;
mod ls;
mod retry;
mod selection;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::Config;
use crate::dead_letters::{Scan, StoreError};

/// Look at what could not be delivered, retry it, or drop it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    hikyaku dead-letter ls                              how many there are, of whom and why\n  \
    hikyaku dead-letter cat --sender engine-1           the letters, as JSON lines\n  \
    hikyaku dead-letter retry --output upstream         deliver after all what it gave up
    hikyaku dead-letter drop --reason 'no array' --yes  give them up for good\n\n\
    All of them may be used while the server runs.")]
pub(super) struct Arguments {
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
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Ls(ls::Ls),
    Cat(cat::Cat),
    Retry(retry::Retry),
    Drop(drop::Drop),
}

/// The command can't be carried out.
#[derive(Debug, thiserror::Error)]
enum DeadLetterError {
    #[error("{0}\nName the data folder with --data-dir, or a configuration with -c")]
    Config(crate::config::ConfigErrors),
    #[error("there is no data folder {}: name it with --data-dir", .0.display())]
    NoDataFolder(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "no server has answered: the {letters} letters are retried when one runs on this folder. To take that back, \
         remove {}",
        request.display()
    )]
    Unanswered { letters: usize, request: PathBuf },
    #[error("{0}")]
    Invalid(String),
    #[error("cannot write the answer: {0}")]
    Write(#[from] std::io::Error),
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let done = self.data_dir().and_then(|data_dir| match self.action {
            Action::Ls(ls) => ls.execute(&data_dir),
            Action::Cat(cat) => cat.execute(&data_dir),
            Action::Retry(retry) => retry.execute(&data_dir),
            Action::Drop(drop) => drop.execute(&data_dir),
        });
        match done {
            Ok(code) => code,
            // `dead-letter cat | head` is no failure.
            Err(DeadLetterError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => {
                super::complain(error);
                ExitCode::FAILURE
            }
        }
    }

    fn data_dir(&self) -> Result<PathBuf, DeadLetterError> {
        let data_dir = match &self.data_dir {
            Some(data_dir) => data_dir.clone(),
            None => Config::load(&self.config).map_err(DeadLetterError::Config)?.server.data_dir,
        };
        if data_dir.is_dir() { Ok(data_dir) } else { Err(DeadLetterError::NoDataFolder(data_dir)) }
    }
}

/// Says on standard error what else was seen, so that nothing is passed over in silence.
fn mention(scan: &Scan) {
    if scan.unreadable > 0 {
        super::complain(format_args!(
            "{} lines in the folder dead-letters are no letters: somebody changed the files, or the disk did",
            scan.unreadable
        ));
    }
}
