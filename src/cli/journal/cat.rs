//! `hikyaku journal cat`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::JournalError;
use crate::chunk::Encoding;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::inspect::Inspection;
use crate::journal::{CursorFolder, Position};
use crate::pipeline::json::{write_string, write_value};
use crate::pipeline::tag_pattern::TagPatterns;
use crate::wire::compression::inflate;
use crate::wire::entry::{Entries, GroupMark, Item};
use crate::wire::msgpack::write_bin;

/// Bytes of one chunk after inflating.
const MAX_INFLATED_SIZE: usize = 4 << 30;

/// Print the events that are kept, as JSON lines: position, time, sender, tag and record, before any filter
#[derive(Debug, clap::Args)]
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
            Err(error) => return Err(JournalError::Invalid(format!("--tag: {error}"))),
        };
        let from = match &self.output {
            Some(id) => start_of(data_dir, id)?,
            None => Position::new(0, 0),
        };
        let inspection = Inspection::new(data_dir);
        let mut printer = Printer {
            out: io::BufWriter::new(io::stdout().lock()),
            line: Vec::new(),
            inflated: Vec::new(),
            left: self.limit,
        };
        let mut printed = Ok(());
        for segment in inspection.segments()?.into_iter().filter(|segment| *segment >= from.segment) {
            inspection.chunks(segment, |position, chunk| {
                let tag = String::from_utf8_lossy(chunk.tag());
                if position >= from && tags.as_ref().is_none_or(|tags| tags.matches(&tag)) {
                    printed = printer.chunk(position, &chunk);
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

struct Printer<W: Write> {
    out: W,
    line: Vec<u8>,
    inflated: Vec<u8>,
    left: u64,
}

impl<W: Write> Printer<W> {
    fn chunk(&mut self, position: Position, chunk: &ChunkPayload) -> io::Result<()> {
        let Self { out, line, inflated, left } = self;
        let entries = match chunk.encoding() {
            Encoding::Plain => chunk.entries(),
            encoding => {
                inflate(encoding, chunk.entries(), MAX_INFLATED_SIZE, inflated).map_err(io::Error::other)?;
                inflated
            }
        };
        let chunk_position = Position { entry: 0, ..position };
        for (index, entry) in (position.entry..).zip(Entries::new(entries)) {
            if *left == 0 {
                break;
            }
            *left -= 1;
            line.clear();
            let received_at = chunk.received_at().timestamp();
            write!(
                line,
                r#"{{"position":"{chunk_position}","index":{index},"received_at":"{received_at:.9}","sender":"#
            )?;
            write_string(line, chunk.sender().as_bytes());
            line.extend_from_slice(b",\"input\":");
            write_string(line, chunk.input().as_bytes());
            line.extend_from_slice(b",\"tag\":");
            write_string(line, chunk.tag());
            if let Some(id) = chunk.id() {
                line.extend_from_slice(b",\"chunk\":");
                write_string(line, id);
            }
            match entry {
                Ok(Item::Event(entry)) => {
                    let time = entry.time.unwrap_or(chunk.received_at()).timestamp();
                    write!(line, r#","time":"{time:.9}","record":"#)?;
                    write_value(line, entry.record);
                    if let Some(metadata) = entry.metadata {
                        line.extend_from_slice(b",\"metadata\":");
                        write_value(line, metadata);
                    }
                }
                Ok(Item::Mark(GroupMark::End)) => line.extend_from_slice(b",\"group\":\"end\""),
                Ok(Item::Mark(GroupMark::Start(common))) => {
                    line.extend_from_slice(b",\"group\":\"start\",\"common\":");
                    write_value(line, common);
                }
                Ok(Item::Bad(bad)) => {
                    line.extend_from_slice(b",\"bad\":");
                    match chunk.refusal() {
                        Some(reason) => write_string(line, reason.as_bytes()),
                        None => write_string(line, bad.reason.to_string().as_bytes()),
                    }
                    line.extend_from_slice(b",\"value\":");
                    write_value(line, bad.bytes);
                }
                Err(error) => {
                    line.extend_from_slice(b",\"bad\":");
                    write_string(line, error.to_string().as_bytes());
                    line.extend_from_slice(b",\"value\":");
                    let mut value = Vec::new();
                    write_bin(&mut value, entries);
                    write_value(line, &value);
                }
            }
            line.extend_from_slice(b"}\n");
            out.write_all(line)?;
        }
        Ok(())
    }
}
