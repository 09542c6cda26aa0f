//! `hikyaku dead-letter cat`

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::segments::Found;
use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::cli::stored_events::Printer;
use crate::dead_letters::{Letter, LetterId, Scan, Store};
use crate::journal::SetAside;
use crate::journal::inspect::InspectError;

/// Print the letters, as JSON lines with their ids, and the events that outputs left behind
///
/// What an output left behind at `max_backlog` comes as `hikyaku journal cat` prints it, with the `output`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku dead-letter cat --sender engine-1 --limit 10
  hikyaku dead-letter cat --letter 6c0a4e1b8d2f9733 --raw > bytes.msgpack")]
pub(super) struct Cat {
    #[command(flatten)]
    selection: Selection,
    /// Print nothing but the bytes that are kept, one letter or chunk behind the other
    #[arg(long, help_heading = "Options")]
    raw: bool,
    /// Only so many letters and events
    #[arg(
        long,
        value_name = "N",
        default_value_t = u64::MAX,
        hide_default_value = true,
        help_heading = "Options"
    )]
    limit: u64,
}

impl Cat {
    pub(super) fn execute(self, data_dir: &Path) -> Result<ExitCode, DeadLetterError> {
        let mut printer = Printer::new(BufWriter::new(io::stdout().lock()), self.limit);
        let scan = self.print_letters(data_dir, &mut printer)?;
        self.print_segments(data_dir, &mut printer)?;
        printer.out.flush()?;
        mention(&scan);
        Ok(ExitCode::SUCCESS)
    }

    fn print_letters(
        &self,
        data_dir: &Path,
        printer: &mut Printer<impl Write>,
    ) -> Result<Scan, DeadLetterError> {
        if printer.left == 0 || !self.selection.takes_letters() {
            return Ok(Scan::default());
        }
        let (scan, failed) = Store::new(data_dir).read(&self.selection.filter(), |id, letter, line| {
            let out = &mut printer.out;
            let printed = if self.raw { print_raw(out, id, &letter) } else { print_line(out, id, line) };
            printer.left -= 1;
            match printed {
                Err(error) => ControlFlow::Break(Some(error)),
                Ok(()) if printer.left == 0 => ControlFlow::Break(None),
                Ok(()) => ControlFlow::Continue(()),
            }
        })?;
        match failed {
            Some(Some(error)) => Err(error.into()),
            _ => Ok(scan),
        }
    }

    /// What outputs left behind, as `journal cat` prints it.
    fn print_segments(
        &self,
        data_dir: &Path,
        printer: &mut Printer<impl Write>,
    ) -> Result<(), DeadLetterError> {
        let set_aside = SetAside::new(data_dir);
        for left in Found::touched(data_dir, &self.selection)?.segments {
            printer.kept_for(&left.output);
            let mut printed = Ok(());
            let inspected =
                set_aside.inspection(&left.output).chunks(left.segment.segment, |place, chunk| {
                    if printer.left == 0 {
                        return false;
                    }
                    if let Some(delivered) = left.delivered(place)
                        && self.selection.takes_chunk(&chunk)
                    {
                        printed = match self.raw {
                            true => printer.raw(&chunk),
                            false => printer.chunk(place, &chunk, delivered),
                        };
                    }
                    printed.is_ok()
                });
            printed?;
            inspected.or_else(InspectError::unless_gone)?;
        }
        Ok(())
    }
}

/// The line as it lies in its file, with the letter's id in front.
fn print_line(out: &mut impl Write, id: LetterId, line: &[u8]) -> io::Result<()> {
    write!(out, "{{\"letter\":\"{id}\",")?;
    out.write_all(line.strip_prefix(b"{").unwrap_or(line))?;
    out.write_all(b"\n")
}

fn print_raw(out: &mut impl Write, id: LetterId, letter: &Letter) -> io::Result<()> {
    match letter.contents() {
        Some(contents) => out.write_all(contents.bytes()),
        None => {
            crate::cli::complain(format_args!(
                "letter {id} holds no bytes that can be read: {}",
                letter.reason
            ));
            Ok(())
        }
    }
}
