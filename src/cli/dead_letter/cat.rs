//! `hikyaku dead-letter cat`

use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::dead_letters::{Letter, LetterId, Store};

/// Print the letters, as JSON lines with their ids, or their original bytes
#[derive(Debug, clap::Args)]
pub(super) struct Cat {
    #[command(flatten)]
    selection: Selection,
    /// Print nothing but the bytes that the letters keep, one letter behind the other
    #[arg(long, help_heading = "Options")]
    raw: bool,
    /// Only so many letters
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
        let mut out = BufWriter::new(io::stdout().lock());
        let mut left = self.limit;
        if left == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let (scan, failed) = Store::new(data_dir).read(&self.selection.filter(), |id, letter, line| {
            let printed =
                if self.raw { print_raw(&mut out, id, &letter) } else { print_line(&mut out, id, line) };
            left -= 1;
            match printed {
                Err(error) => ControlFlow::Break(Some(error)),
                Ok(()) if left == 0 => ControlFlow::Break(None),
                Ok(()) => ControlFlow::Continue(()),
            }
        })?;
        if let Some(Some(error)) = failed {
            return Err(error.into());
        }
        out.flush()?;
        mention(&scan);
        Ok(ExitCode::SUCCESS)
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
