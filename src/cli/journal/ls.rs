//! `hikyaku journal ls`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::{JournalError, time_text};
use crate::journal::inspect::{Inspection, SegmentSummary};
use crate::journal::{CursorFolder, Position, SavedCursor};

/// List the segments, and how far each output has come
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal ls
  hikyaku journal ls --data-dir /var/lib/hikyaku --json | jq .outputs    how far each output is")]
pub(super) struct Ls {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Ls {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let inspection = Inspection::new(data_dir);
        let mut segments = Vec::new();
        for segment in inspection.segments()? {
            segments.push(inspection.summary(segment)?);
        }
        let folder = CursorFolder::new(data_dir);
        let mut cursors = Vec::new();
        for id in folder.ids()? {
            if let Some(cursor) = folder.load(&id)? {
                cursors.push((id, cursor));
            }
        }
        let mut out = io::stdout().lock();
        if self.json {
            print_json(&mut out, &segments, &cursors)?
        } else {
            print_text(&mut out, &segments, &cursors)?
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_json(
    out: &mut impl Write,
    segments: &[SegmentSummary],
    cursors: &[(String, SavedCursor)],
) -> io::Result<()> {
    let segment_rows: Vec<_> = segments
        .iter()
        .map(|segment| {
            let has_chunks = segment.counts.chunks > 0;
            serde_json::json!({
                "segment": segment.header.segment,
                "path": segment.path,
                "sealed": segment.sealed,
                "may_be_compressed": segment.header.may_be_packed,
                "bytes_on_disk": segment.bytes_on_disk,
                "frame_bytes": segment.frame_bytes,
                "large_files": segment.large_files.len(),
                "large_bytes": segment.large_bytes(),
                "chunks": segment.counts.chunks,
                "entries": segment.counts.entries,
                "first_received_at": has_chunks.then(|| time_text(segment.counts.first_received_at)),
                "last_received_at": has_chunks.then(|| time_text(segment.counts.last_received_at)),
            })
        })
        .collect();
    let cursor_rows: Vec<_> = cursors
        .iter()
        .map(|(id, cursor)| {
            serde_json::json!({
                "output": id,
                "segment": cursor.position.segment,
                "offset": cursor.position.offset,
                "checkpoints": cursor.generation,
                "bytes_behind": bytes_behind(segments, cursor),
            })
        })
        .collect();
    writeln!(out, "{}", serde_json::json!({ "segments": segment_rows, "outputs": cursor_rows }))
}

fn print_text(
    out: &mut impl Write,
    segments: &[SegmentSummary],
    cursors: &[(String, SavedCursor)],
) -> io::Result<()> {
    writeln!(
        out,
        "{:>8}  {:7}  {:>12}  {:>9}  {:>10}  first received",
        "SEGMENT", "STATE", "BYTES", "CHUNKS", "EVENTS"
    )?;
    for segment in segments {
        writeln!(
            out,
            "{:>8}  {:7}  {:>12}  {:>9}  {:>10}  {}",
            segment.header.segment,
            if segment.sealed { "sealed" } else { "open" },
            segment.frame_bytes + segment.large_bytes(),
            segment.counts.chunks,
            segment.counts.entries,
            if segment.counts.chunks > 0 {
                time_text(segment.counts.first_received_at)
            } else {
                "-".to_owned()
            },
        )?;
    }
    writeln!(out, "\n{:24}  {:>20}  {:>12}", "OUTPUT", "CURSOR", "BYTES BEHIND")?;
    for (id, cursor) in cursors {
        writeln!(
            out,
            "{id:24}  {:>20}  {:>12}",
            cursor.position.to_string(),
            bytes_behind(segments, cursor)
        )?;
    }
    Ok(())
}

/// Bytes of frames and large files that an output still has to deliver.
pub(super) fn bytes_behind(segments: &[SegmentSummary], cursor: &SavedCursor) -> u64 {
    cursor.bytes_to_deliver(|position| bytes_from(segments, position))
}

/// Bytes of frames and large files from a position on.
pub(super) fn bytes_from(segments: &[SegmentSummary], position: Position) -> u64 {
    let remaining =
        segments.iter().filter(|segment| segment.header.segment >= position.segment).map(|segment| {
            let frames_end =
                segment.frame_bytes + crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
            if segment.header.segment == position.segment {
                let large = segment.large_files.iter().filter(|file| file.offset >= position.offset);
                frames_end.saturating_sub(position.offset) + large.map(|file| file.bytes).sum::<u64>()
            } else {
                segment.frame_bytes + segment.large_bytes()
            }
        });
    remaining.sum()
}
