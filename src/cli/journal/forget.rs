//! `hikyaku journal forget`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::JournalError;
use crate::journal::{CursorFolder, Journal};
use crate::output::given_up;

/// Give up the backlog of an output that the configuration no longer has
///
/// An output that was removed or renamed holds what it had not delivered, so that nothing is lost by a slip. This
/// lets go of it. The server must be stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal forget old-archive")]
pub(super) struct Forget {
    /// The id of the output
    id: String,
}

impl Forget {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let cursors = CursorFolder::new(data_dir);
        let known = cursors.ids()?;
        if !known.contains(&self.id) {
            return Err(JournalError::UnknownOutput {
                id: self.id.clone(),
                data_dir: data_dir.to_owned(),
                known: known.join(", "),
            });
        }
        // Under the lock of the folder, so that no server saves the cursor once more.
        let _lock = Journal::lock(data_dir)?;
        cursors.remove(&self.id)?;
        // After its cursor: a hold without one goes at the next start, should this end here.
        let given_up = data_dir.join(given_up::FOLDER);
        if given_up.is_dir() {
            let _lock = Journal::lock(&given_up)?;
            given_up::forget_hold(&CursorFolder::new(&given_up), &self.id)?;
        }
        writeln!(
            io::stdout(),
            "forgot {}: the next start of the server frees what only it still needed",
            self.id
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
