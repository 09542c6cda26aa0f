//! `hikyaku dead-letter drop`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::dead_letters::{Outcome, Settled, Store};

/// Give letters up for good
///
/// They are gone for all commands at once, also after a crash. Their space comes back when all letters of a file are
/// gone; the server looks for such files once a minute, and when it starts.
#[derive(Debug, clap::Args)]
pub(super) struct Drop {
    #[command(flatten)]
    selection: Selection,
    /// Do not ask
    #[arg(long, help_heading = "Options")]
    yes: bool,
}

impl Drop {
    pub(super) fn execute(self, data_dir: &Path) -> Result<ExitCode, DeadLetterError> {
        let store = Store::new(data_dir);
        let (mut ids, mut bytes) = (Vec::new(), 0);
        let (scan, _) = store.read(&self.selection.filter(), |id, _, line| {
            ids.push(id);
            bytes += line.len() + 1;
            ControlFlow::<()>::Continue(())
        })?;
        mention(&scan);
        if ids.is_empty() {
            crate::cli::say("no dead letters to drop");
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !confirmed(ids.len(), bytes)? {
            crate::cli::complain("nothing was dropped");
            return Ok(ExitCode::FAILURE);
        }
        // Exactly those that were counted, and none that came meanwhile.
        Settled::lock(store.folder())?.settle(&ids, Outcome::Dropped)?;
        crate::cli::say(format_args!("dropped {} letters ({bytes} bytes)", ids.len()));
        Ok(ExitCode::SUCCESS)
    }
}

fn confirmed(letters: usize, bytes: usize) -> Result<bool, DeadLetterError> {
    if !io::stdin().is_terminal() {
        return Err(DeadLetterError::Invalid(format!(
            "{letters} letters ({bytes} bytes) would be dropped for good: say --yes, or look at them first with \
             hikyaku dead-letter cat"
        )));
    }
    let mut terminal = io::stderr();
    write!(terminal, "drop {letters} letters ({bytes} bytes) for good? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
