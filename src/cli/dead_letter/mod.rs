//! `hikyaku dead-letter`: what could not be delivered, also while a server runs.

mod cat;
mod drop;
mod left_behind;
mod ls;
mod retry;
mod segments;
mod selection;

use std::path::PathBuf;
use std::process::ExitCode;

use super::data_folder::{DataFolder, NotFound};
use super::exit_code;
use crate::cli::counted::counted;
use crate::dead_letters::{Scan, StoreError};
use crate::journal::inspect::InspectError;
use crate::journal::{CursorError, SetAsideError};

/// Look at what could not be delivered, retry it, or drop it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    hikyaku dead-letter ls                               how many there are, of whom and why\n  \
    hikyaku dead-letter cat --sender engine-1            the letters, as JSON lines\n  \
    hikyaku dead-letter retry --output upstream          deliver after all what it gave up or left behind\n  \
    hikyaku dead-letter drop --reason 'no array' --yes   give them up for good\n\n\
    All of them may be used while the server runs.")]
pub(super) struct Arguments {
    #[command(flatten)]
    data_folder: DataFolder,
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
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error("there is no data folder {}: name it with --data-dir", .0.display())]
    NoDataFolder(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    SetAside(#[from] SetAsideError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(
        "no server has answered: {what} are retried when one runs on this folder and their output gets on. To take that \
         back, remove {}",
        request.display()
    )]
    Unanswered { what: String, request: PathBuf },
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
                let is_configuration = matches!(error, DeadLetterError::NotFound(_));
                super::complain(error);
                if is_configuration { ExitCode::from(exit_code::CONFIGURATION) } else { ExitCode::FAILURE }
            }
        }
    }

    fn data_dir(&self) -> Result<PathBuf, DeadLetterError> {
        let data_dir = self.data_folder.path()?;
        if data_dir.is_dir() { Ok(data_dir) } else { Err(DeadLetterError::NoDataFolder(data_dir)) }
    }
}

/// Says on standard error what else was seen, so that nothing is passed over in silence.
fn mention(scan: &Scan) {
    if scan.unreadable > 0 {
        super::complain(format_args!(
            "{} in the folder dead-letters can't be read as a letter: somebody changed the files, or the disk did",
            counted(scan.unreadable, "line")
        ));
    }
}
