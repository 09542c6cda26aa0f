//! `hikyaku journal restored`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::JournalError;
use crate::journal::{Home, Journal};
use crate::storage::disk;

/// Say that the data folder was rolled back to an earlier state, as by a snapshot
///
/// A folder that was copied is recognised; one whose volume was rolled back is not. The next start then takes nothing
/// away from archive files that have gone on meanwhile, and delivers what they may have already once more. The server
/// must be stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal restored --data-dir /var/lib/hikyaku")]
pub(super) struct Restored {}

impl Restored {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let _lock = Journal::lock(data_dir)?;
        Home::roll_back(disk().as_ref(), data_dir)?;
        writeln!(io::stdout(), "noted: the next start leaves archive files as they are")?;
        Ok(ExitCode::SUCCESS)
    }
}
