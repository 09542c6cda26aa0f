//! `hikyaku journal`: look into the journal, also while a server writes it.

mod cat;
mod forget;
mod ls;
mod replay;
mod replayed_files;
mod restored;
mod time;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::data_folder::{DataFolder, NotFound};
use super::exit_code;
use super::progress::progress_bar;
use crate::journal::inspect::InspectError;
use crate::journal::{CursorError, OpenError, SetAsideError};

/// Look into the journal: what is kept, what each output still has to deliver, whether it is sound
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    hikyaku journal ls                          segments, and how far each output is\n  \
    hikyaku journal cat --tag nginx.access      the events that are kept, as JSON lines\n  \
    hikyaku journal verify                      check every byte; exit code 1 if something is damaged\n  \
    hikyaku journal replay --output archive --from 2h    deliver once more what is still kept\n\n\
    All but `forget` and `restored` may be used while the server runs; `ls`, `cat` and `verify` only read.")]
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
    Verify(verify::Verify),
    Replay(replay::Replay),
    Restored(restored::Restored),
    Forget(forget::Forget),
}

/// The journal can't be looked into.
#[derive(Debug, thiserror::Error)]
enum JournalError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error("there is no journal in {}: name the data folder with --data-dir", .0.display())]
    NoJournal(PathBuf),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    SetAside(#[from] SetAsideError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(
        "there is no output with the id {id:?} in {}; there are: {known}. One that is new must have been started once",
        data_dir.display()
    )]
    UnknownOutput { id: String, data_dir: PathBuf, known: String },
    /// An option has a value that it can't have.
    #[error("{0}")]
    Arguments(String),
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
            Action::Verify(verify) => verify.execute(&data_dir),
            Action::Replay(replay) => replay.execute(&data_dir, self.data_folder.config()),
            Action::Restored(restored) => restored.execute(&data_dir),
            Action::Forget(forget) => forget.execute(&data_dir),
        });
        match done {
            Ok(code) => code,
            // `journal cat | head` is no failure.
            Err(JournalError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(error) => {
                super::complain(&error);
                match error {
                    JournalError::NotFound(_) => ExitCode::from(exit_code::CONFIGURATION),
                    JournalError::Arguments(_) => ExitCode::from(exit_code::USAGE),
                    _ => ExitCode::FAILURE,
                }
            }
        }
    }

    fn data_dir(&self) -> Result<PathBuf, JournalError> {
        let data_dir = self.data_folder.path()?;
        if data_dir.join("journal").is_dir() { Ok(data_dir) } else { Err(JournalError::NoJournal(data_dir)) }
    }
}

/// Whether the journal and all that belongs to it in a data folder reads back; why that can't be found out otherwise.
pub(super) fn is_sound(data_dir: &Path) -> Result<bool, String> {
    verify::is_sound(data_dir).map_err(|error| error.to_string())
}

/// Seconds and nanoseconds as people and scripts read them.
fn time_text(unix_nanoseconds: i64) -> String {
    let time = crate::event_time::EventTime::from_unix_nanoseconds(unix_nanoseconds).timestamp();
    format!("{time:.3}")
}
