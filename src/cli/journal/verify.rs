//! `hikyaku journal verify`

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::ProgressBar;

use super::JournalError;
use crate::journal::CursorFolder;
use crate::journal::inspect::{Inspection, SegmentVerdict};

/// Check every checksum, and say what each output still has to deliver
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let inspection = Inspection::new(data_dir);
        let segments = inspection.segments()?;
        let bar = if io::stderr().is_terminal() {
            ProgressBar::new(segments.len() as u64)
        } else {
            ProgressBar::hidden()
        };
        let mut verdicts = Vec::new();
        let mut summaries = Vec::new();
        for segment in segments {
            verdicts.push(inspection.verify(segment)?);
            summaries.push(inspection.summary(segment)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let folder = CursorFolder::new(data_dir);
        let mut behind = Vec::new();
        for id in folder.ids()? {
            if let Some(cursor) = folder.load(&id)? {
                behind.push((id, super::ls::bytes_behind(&summaries, &cursor)));
            }
        }
        let intact = verdicts.iter().all(SegmentVerdict::is_intact);
        let mut out = io::stdout().lock();
        if self.json {
            print_json(&mut out, &verdicts, &behind, intact)?;
        } else {
            print_text(&mut out, &verdicts, &behind, intact)?;
        }
        Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn print_json(
    out: &mut impl Write,
    verdicts: &[SegmentVerdict],
    behind: &[(String, u64)],
    intact: bool,
) -> io::Result<()> {
    let segments: Vec<_> = verdicts
        .iter()
        .map(|verdict| {
            serde_json::json!({
                "segment": verdict.segment,
                "intact": verdict.is_intact(),
                "chunks": verdict.chunks,
                "entries": verdict.entries,
                "large_chunks": verdict.large_chunks,
                "damaged_bytes": verdict.damaged_bytes,
                "torn_bytes": verdict.torn_bytes,
                "footer_agrees": verdict.footer_agrees,
            })
        })
        .collect();
    let outputs: Vec<_> =
        behind.iter().map(|(id, bytes)| serde_json::json!({ "output": id, "bytes_behind": bytes })).collect();
    writeln!(out, "{}", serde_json::json!({ "intact": intact, "segments": segments, "outputs": outputs }))
}

fn print_text(
    out: &mut impl Write,
    verdicts: &[SegmentVerdict],
    behind: &[(String, u64)],
    intact: bool,
) -> io::Result<()> {
    for verdict in verdicts {
        let SegmentVerdict { segment, chunks, entries, .. } = verdict;
        write!(out, "segment {segment}: {chunks} chunks, {entries} events")?;
        if verdict.large_chunks > 0 {
            write!(out, ", {} of the chunks in files of their own", verdict.large_chunks)?;
        }
        if verdict.damaged_bytes > 0 {
            write!(out, ", DAMAGED: {} bytes do not read back", verdict.damaged_bytes)?;
        }
        if verdict.footer_agrees == Some(false) {
            write!(out, ", DAMAGED: the footer does not agree with the chunks")?;
        }
        if verdict.torn_bytes > 0 {
            write!(
                out,
                ", a half-written tail of {} bytes (nothing in it was acknowledged)",
                verdict.torn_bytes
            )?;
        }
        writeln!(out)?;
    }
    for (id, bytes) in behind {
        writeln!(out, "output {id}: {bytes} bytes to deliver")?;
    }
    let verdict = if intact {
        "The journal is sound: every chunk that was synced reads back."
    } else {
        "The journal is DAMAGED: the server sets the damaged parts aside and delivers all the rest."
    };
    writeln!(out, "{verdict}")
}
