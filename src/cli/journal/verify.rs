//! `hikyaku journal verify`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::{JournalError, progress_bar, time_text};
use crate::journal::inspect::{Inspection, PackedChunks, SegmentVerdict};
use crate::journal::{Backlog, CursorFolder, SavedCursor};
use crate::output::file::check_undo_logs;
use crate::storage::disk;

/// Check every checksum, and say what each output still has to deliver
///
/// Reads every byte of the segments and of large chunks, all cursors, requests, old chunk ids and undo logs. May run
/// beside a server. Exit code 1 where something is damaged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal verify
  hikyaku journal verify --data-dir /backup/today/data    a copy, before it is needed

Exit codes: 0 everything reads back, 1 something is damaged.")]
pub(super) struct Verify {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
struct Findings {
    segments: Vec<SegmentVerdict>,
    outputs: Vec<(String, SavedCursor, Backlog)>,
    undo_logs: usize,
    /// What is wrong besides segments, for people.
    damage: Vec<String>,
}

impl Verify {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let findings = Findings::gather(data_dir)?;
        let mut out = io::stdout().lock();
        if self.json {
            findings.print_json(&mut out)?;
        } else {
            findings.print_text(&mut out)?;
        }
        Ok(if findings.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whether nothing in a data folder is damaged.
pub(super) fn is_sound(data_dir: &Path) -> Result<bool, JournalError> {
    Ok(Findings::gather(data_dir)?.is_intact())
}

impl Findings {
    fn gather(data_dir: &Path) -> Result<Self, JournalError> {
        let mut damage = Vec::new();
        // Cursors first: the journal never gets shorter than they are.
        let folder = CursorFolder::new(data_dir);
        let mut cursors = Vec::new();
        for id in folder.ids()? {
            match folder.load(&id) {
                Ok(cursor) => cursors.extend(cursor.map(|cursor| (id.clone(), cursor))),
                Err(error) => damage.push(error.to_string()),
            }
            if let Err(error) = folder.request(&id) {
                damage.push(error.to_string());
            }
        }
        let inspection = Inspection::new(data_dir);
        let numbers = inspection.segments()?;
        let bar = progress_bar(2 * numbers.len() as u64);
        let mut segments = Vec::new();
        for segment in numbers {
            match inspection.verify(segment) {
                Ok(verdict) => segments.push(verdict),
                Err(error) => error.unless_gone()?,
            }
            bar.inc(1);
        }
        let seen: Vec<u64> = segments.iter().map(|verdict: &SegmentVerdict| verdict.segment).collect();
        for range in inspection.missing(&seen)? {
            damage.push(format!(
                "segments {} to {} are missing: somebody removed them, and what outputs had not delivered of them is lost. \
                 Put them back if there is a copy",
                range.start(),
                range.end()
            ));
        }
        let saved: Vec<SavedCursor> = cursors.iter().map(|(_, cursor)| *cursor).collect();
        let backlogs = inspection.backlogs(&saved, |_| bar.inc(1))?;
        bar.finish_and_clear();
        for path in inspection.damaged_ids()? {
            damage.push(format!(
                "the old chunk ids in {} don't check: chunks of that time that are sent again may be delivered twice",
                path.display()
            ));
        }
        let undo_logs = check_undo_logs(disk().as_ref(), data_dir)?;
        for (path, error) in &undo_logs {
            damage.extend(error.as_ref().map(|error| format!("the undo log {}: {error}", path.display())));
        }
        let outputs = cursors.into_iter().zip(backlogs).map(|((id, cursor), backlog)| (id, cursor, backlog));
        Ok(Self { segments, outputs: outputs.collect(), undo_logs: undo_logs.len(), damage })
    }

    fn is_intact(&self) -> bool {
        self.damage.is_empty() && self.segments.iter().all(SegmentVerdict::is_intact)
    }

    fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let segments: Vec<_> = self.segments.iter().map(segment_row).collect();
        let outputs: Vec<_> = self
            .outputs
            .iter()
            .map(|(id, cursor, backlog)| {
                serde_json::json!({
                    "output": id,
                    "chunks": backlog.chunks,
                    "events": backlog.events,
                    "bytes_behind": backlog.bytes,
                    "oldest_received_at": backlog.oldest.map(time_text),
                    "in_replay": cursor.replays.current.is_some(),
                    "replays": cursor.replays.count,
                })
            })
            .collect();
        let answer = serde_json::json!({
            "intact": self.is_intact(),
            "segments": segments,
            "outputs": outputs,
            "undo_logs": self.undo_logs,
            "damage": self.damage,
        });
        writeln!(out, "{answer}")
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        for verdict in &self.segments {
            print_segment(out, verdict)?;
        }
        for (id, cursor, backlog) in &self.outputs {
            let Backlog { chunks, events, bytes, oldest } = backlog;
            write!(out, "output {id}: {chunks} chunks, {events} events, {bytes} bytes to deliver")?;
            if let Some(oldest) = oldest {
                write!(out, ", the oldest received {}", time_text(*oldest))?;
            }
            if cursor.replays.current.is_some() {
                write!(out, ", in replay {}", cursor.replays.count)?;
            }
            writeln!(out)?;
        }
        writeln!(out, "{} cursors and {} undo logs read", self.outputs.len(), self.undo_logs)?;
        for damage in &self.damage {
            writeln!(out, "DAMAGED: {damage}")?;
        }
        let verdict = if self.is_intact() {
            "The journal is sound: every chunk that was synced reads back."
        } else if self.damage.is_empty() {
            "The journal is DAMAGED: the server sets the damaged parts aside and delivers all the rest."
        } else {
            "The data folder is DAMAGED: see above for what to do."
        };
        writeln!(out, "{verdict}")
    }
}

fn segment_row(verdict: &SegmentVerdict) -> serde_json::Value {
    serde_json::json!({
        "segment": verdict.segment,
        "intact": verdict.is_intact(),
        "chunks": verdict.chunks,
        "entries": verdict.entries,
        "large_chunks": verdict.large_chunks,
        "compressed_chunks": verdict.packed.chunks,
        "compressed_bytes": verdict.packed.bytes,
        "compressed_bytes_as_sent": verdict.packed.bytes_as_sent,
        "damaged_bytes": verdict.damaged_bytes,
        "torn_bytes": verdict.torn_bytes,
        "footer_agrees": verdict.footer_agrees,
    })
}

fn print_segment(out: &mut impl Write, verdict: &SegmentVerdict) -> io::Result<()> {
    let SegmentVerdict { segment, chunks, entries, .. } = verdict;
    write!(out, "segment {segment}: {chunks} chunks, {entries} events")?;
    if verdict.large_chunks > 0 {
        write!(out, ", {} of the chunks in files of their own", verdict.large_chunks)?;
    }
    if let PackedChunks { chunks: 1.., bytes_as_sent, bytes, .. } = verdict.packed {
        write!(out, ", {bytes_as_sent} bytes of entries compressed to {bytes}")?;
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
            ", a half-written tail of {} bytes, which nothing says was ever synced",
            verdict.torn_bytes
        )?;
    }
    writeln!(out)
}
