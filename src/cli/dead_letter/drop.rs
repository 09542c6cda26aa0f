//! `hikyaku dead-letter drop`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::segments::{Found, LeftBehind, Totals};
use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::cli::counted::counted;
use crate::dead_letters::{Outcome, Settled, Store};
use crate::journal::{CursorFolder, SetAside};

/// Give letters up for good, and what outputs left behind
///
/// They are gone for all commands at once, also after a crash. The space of letters comes back when all letters of a file
/// are gone; the server looks for such files once a minute, and when it starts. Segments that an output left behind go at
/// once, each as a whole.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku dead-letter drop --reason 'no map' --until 7d     asks first
  hikyaku dead-letter drop --segment 7 --segment 8 --yes")]
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
        if self.selection.takes_letters() {
            let (scan, _) = store.read(&self.selection.filter(), |id, _, line| {
                ids.push(id);
                bytes += line.len() + 1;
                ControlFlow::<()>::Continue(())
            })?;
            mention(&scan);
        }
        let found = Found::whole(data_dir, &self.selection)?;
        found.mention();
        let what = match (ids.len(), found.totals()) {
            (0, Totals { segments: 0, .. }) => {
                crate::cli::say("no dead letters to drop");
                return Ok(ExitCode::SUCCESS);
            }
            (letters, Totals { segments: 0, .. }) => letters_text(letters, bytes),
            (0, totals) => segments_text(&totals),
            (letters, totals) => format!("{} and {}", letters_text(letters, bytes), segments_text(&totals)),
        };
        if !self.yes && !confirmed(&what)? {
            crate::cli::complain("nothing was dropped");
            return Ok(ExitCode::FAILURE);
        }
        // Exactly those that were counted, and none that came meanwhile.
        let mut settled = Settled::lock(store.folder())?;
        settled.settle(&ids, Outcome::Dropped)?;
        for left in &found.segments {
            drop_segment(data_dir, left)?;
        }
        drop(settled);
        crate::cli::say(format_args!("dropped {what}"));
        Ok(ExitCode::SUCCESS)
    }
}

/// Under the lock of the folder.
fn drop_segment(data_dir: &Path, left: &LeftBehind) -> Result<(), DeadLetterError> {
    let LeftBehind { output, segment, .. } = left;
    let set_aside = SetAside::new(data_dir);
    if set_aside.segments(output)?.iter().all(|found| found.segment != segment.segment) {
        // A server has retried it meanwhile, or somebody else dropped it.
        return Ok(());
    }
    let cursor = CursorFolder::new(data_dir).load(output)?;
    if cursor.is_some_and(|cursor| !segment.is_left_by(&cursor)) {
        return Err(DeadLetterError::Invalid(format!(
            "output {output} is just leaving segment {} behind: try again in a moment",
            segment.segment
        )));
    }
    Ok(set_aside.remove(output, segment.segment)?)
}

fn letters_text(letters: usize, bytes: usize) -> String {
    format!("{} ({})", counted(letters, "letter"), counted(bytes, "byte"))
}

fn segments_text(totals: &Totals) -> String {
    let Totals { segments, chunks, events, bytes } = totals;
    let [chunks, events, bytes] =
        [(*chunks, "chunk"), (*events, "event"), (*bytes, "byte")].map(|(count, one)| counted(count, one));
    let segments = counted(*segments, "segment");
    format!("{segments} that outputs left behind ({chunks}, {events}, {bytes})")
}

fn confirmed(what: &str) -> Result<bool, DeadLetterError> {
    if !io::stdin().is_terminal() {
        return Err(DeadLetterError::Invalid(format!(
            "{what} would be dropped for good: say --yes, or look at them first with hikyaku dead-letter cat"
        )));
    }
    let mut terminal = io::stderr();
    write!(terminal, "drop {what} for good? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
