//! `hikyaku journal verify`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::{JournalError, progress_bar, time_text};
use crate::cli::counted::counted;
use crate::journal::inspect::{Inspection, PackedChunks, SegmentVerdict};
use crate::journal::{Backlog, CursorFolder, SavedCursor, SetAside, SetAsideError, SetAsideSegment};
use crate::output::file::check_undo_logs;
use crate::output::given_up;
use crate::storage::disk;

/// Check every checksum, and say what each output still has to deliver
///
/// Reads every byte of the segments and of large chunks, all cursors, requests, old chunk ids and undo logs; the same of
/// what outputs gave up, and the segments that were set aside. May run beside a server. Exit code 1 where something is damaged.
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

/// What was found in a data folder.
struct Whole {
    journal: Findings,
    /// In the journal of what outputs gave up, where there is one.
    given_up: Option<Findings>,
}

/// What was found in a journal, and with what belongs to it.
struct Findings {
    segments: Vec<SegmentVerdict>,
    outputs: Vec<(String, SavedCursor, Backlog)>,
    undo_logs: usize,
    /// Segments that outputs left behind, by output.
    set_aside: Vec<(String, Vec<SegmentVerdict>)>,
    /// What is wrong besides segments, for people.
    damage: Vec<String>,
}

impl Verify {
    pub(super) fn execute(&self, data_dir: &Path) -> Result<ExitCode, JournalError> {
        let findings = Whole::gather(data_dir)?;
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", findings.json())?;
        } else {
            findings.print_text(&mut out)?;
        }
        Ok(if findings.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Whether nothing in a data folder is damaged.
pub(super) fn is_sound(data_dir: &Path) -> Result<bool, JournalError> {
    Ok(Whole::gather(data_dir)?.is_intact())
}

impl Whole {
    fn gather(data_dir: &Path) -> Result<Self, JournalError> {
        let given_up = data_dir.join(given_up::FOLDER);
        let given_up = given_up.join("journal").is_dir().then(|| Findings::gather(&given_up)).transpose()?;
        Ok(Self { journal: Findings::gather(data_dir)?, given_up })
    }

    fn is_intact(&self) -> bool {
        self.journal.is_intact() && self.given_up.as_ref().is_none_or(Findings::is_intact)
    }

    fn json(&self) -> serde_json::Value {
        let mut answer = self.journal.json();
        answer["intact"] = self.is_intact().into();
        answer["given_up"] = self.given_up.as_ref().map_or(serde_json::Value::Null, Findings::json);
        answer
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        self.journal.print_text(out)?;
        if let Some(given_up) = &self.given_up {
            writeln!(out, "given-up, what outputs gave up:")?;
            given_up.print_text(out)?;
        }
        let verdict = if self.is_intact() {
            "The journal is sound: every chunk that was synced reads back."
        } else if self.all().all(|findings| findings.damage.is_empty()) {
            "The journal is DAMAGED: the server sets the damaged parts aside and delivers all the rest."
        } else {
            "The data folder is DAMAGED: see above for what to do."
        };
        writeln!(out, "{verdict}")
    }

    fn all(&self) -> impl Iterator<Item = &Findings> {
        std::iter::once(&self.journal).chain(&self.given_up)
    }
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
        let set_aside = SetAside::new(data_dir);
        let mut left_behind = Vec::new();
        for id in set_aside.outputs()? {
            left_behind.push((id.clone(), set_aside_of(&set_aside, &id, &mut damage)?));
        }
        let outputs = cursors.into_iter().zip(backlogs).map(|((id, cursor), backlog)| (id, cursor, backlog));
        let (outputs, undo_logs) = (outputs.collect(), undo_logs.len());
        Ok(Self { segments, outputs, undo_logs, set_aside: left_behind, damage })
    }

    fn is_intact(&self) -> bool {
        let set_aside = self.set_aside.iter().flat_map(|(_, segments)| segments);
        self.damage.is_empty() && self.segments.iter().chain(set_aside).all(SegmentVerdict::is_intact)
    }

    fn json(&self) -> serde_json::Value {
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
        let set_aside: Vec<_> = self
            .set_aside
            .iter()
            .map(|(id, segments)| {
                let segments: Vec<_> = segments.iter().map(segment_row).collect();
                serde_json::json!({ "output": id, "segments": segments })
            })
            .collect();
        serde_json::json!({
            "intact": self.is_intact(),
            "segments": segments,
            "outputs": outputs,
            "set_aside": set_aside,
            "undo_logs": self.undo_logs,
            "damage": self.damage,
        })
    }

    fn print_text(&self, out: &mut impl Write) -> io::Result<()> {
        for verdict in &self.segments {
            print_segment(out, verdict)?;
        }
        for (id, cursor, backlog) in &self.outputs {
            let Backlog { chunks, events, bytes, oldest } = backlog;
            let [chunks, events, bytes] = [(*chunks, "chunk"), (*events, "event"), (*bytes, "byte")]
                .map(|(count, one)| counted(count, one));
            write!(out, "output {id}: {chunks}, {events}, {bytes} to deliver")?;
            if let Some(oldest) = oldest {
                write!(out, ", the oldest received {}", time_text(*oldest))?;
            }
            if cursor.replays.current.is_some() {
                write!(out, ", in replay {}", cursor.replays.count)?;
            }
            writeln!(out)?;
        }
        for (id, segments) in &self.set_aside {
            for verdict in segments {
                write!(out, "set aside for output {id}: ")?;
                print_segment(out, verdict)?;
            }
        }
        let (cursors, undo_logs) =
            (counted(self.outputs.len(), "cursor"), counted(self.undo_logs, "undo log"));
        writeln!(out, "{cursors} and {undo_logs} read")?;
        for damage in &self.damage {
            writeln!(out, "DAMAGED: {damage}")?;
        }
        Ok(())
    }
}

/// What the segments that an output left behind are worth; one that is retried meanwhile is left out.
fn set_aside_of(
    set_aside: &SetAside,
    id: &str,
    damage: &mut Vec<String>,
) -> Result<Vec<SegmentVerdict>, JournalError> {
    let segments = match set_aside.segments(id) {
        Err(error @ SetAsideError::Damaged { .. }) => {
            damage.push(error.to_string());
            Vec::new()
        }
        segments => segments?,
    };
    let inspection = set_aside.inspection(id);
    let mut verdicts = Vec::new();
    for found in segments {
        match inspection.verify(found.segment) {
            Ok(verdict) => verdicts.push(verdict),
            Err(error) => {
                error.unless_gone()?;
                let is_there = |left: SetAsideSegment| left.segment == found.segment;
                if set_aside.segments(id)?.into_iter().any(is_there) {
                    damage.push(format!(
                        "segment {} that was set aside for output {id} is missing",
                        found.segment
                    ));
                }
            }
        }
    }
    Ok(verdicts)
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
    write!(out, "segment {segment}: {}, {}", counted(*chunks, "chunk"), counted(*entries, "event"))?;
    if verdict.large_chunks > 0 {
        write!(out, ", {} in files of their own", counted(verdict.large_chunks, "large chunk"))?;
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
