//! `hikyaku journal cat`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::JournalError;
use crate::cli::stored_events::Printer;
use crate::journal::inspect::Inspection;
use crate::journal::{CursorFolder, Position};
use crate::pipeline::tag_pattern::TagPatterns;

/// Print the events that are kept, as JSON lines: position, time, sender, tag and record, before any filter
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal cat --tag nginx.** --limit 10    ten events, as they were received
  hikyaku journal cat --output archive | wc -l     how many events it has still to deliver")]
pub(super) struct Cat {
    /// Only tags that match, as nginx.**
    #[arg(long, value_name = "PATTERN")]
    tag: Option<String>,
    /// Only what this output has not delivered yet
    #[arg(long, value_name = "ID")]
    output: Option<String>,
    /// Only so many events
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
}

impl Cat {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let tags = match self.tag.as_deref().map(TagPatterns::parse).transpose() {
            Ok(tags) => tags,
            Err(error) => return Err(JournalError::Arguments(format!("--tag: {error}"))),
        };
        let from = match &self.output {
            Some(id) => start_of(data_dir, id)?,
            None => Position::new(0, 0),
        };
        let inspection = Inspection::new(data_dir);
        let mut printer = Printer::new(io::BufWriter::new(io::stdout().lock()), self.limit);
        let mut printed = Ok(());
        for segment in inspection.segments()?.into_iter().filter(|segment| *segment >= from.segment) {
            inspection.chunks(segment, |position, chunk| {
                let tag = String::from_utf8_lossy(chunk.tag());
                if position >= from && tags.as_ref().is_none_or(|tags| tags.matches(&tag)) {
                    printed = printer.chunk(position, &chunk, 0);
                }
                printed.is_ok() && printer.left > 0
            })?;
            if printed.is_err() || printer.left == 0 {
                break;
            }
        }
        printed?;
        printer.out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

fn start_of(data_dir: &Path, id: &str) -> Result<Position, JournalError> {
    let cursors = CursorFolder::new(data_dir);
    match cursors.load(id)? {
        Some(cursor) => Ok(cursor.position),
        None => Err(JournalError::UnknownOutput {
            id: id.to_owned(),
            data_dir: data_dir.to_owned(),
            known: cursors.ids()?.join(", "),
        }),
    }
}
