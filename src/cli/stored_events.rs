//! Events as the journal keeps them, before any filter, as JSON lines.

use std::io::{self, Write};

use crate::chunk::Encoding;
use crate::journal::Position;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::pipeline::json::{write_string, write_value};
use crate::wire::compression::inflate;
use crate::wire::entry::{Entries, GroupMark, Item};
use crate::wire::msgpack::write_bin;

/// Bytes of one chunk after inflating.
const MAX_INFLATED_SIZE: usize = 4 << 30;

/// Prints events.
pub(super) struct Printer<W: Write> {
    pub(super) out: W,
    /// How many more it prints.
    pub(super) left: u64,
    /// What each object begins with: whole fields, each with its comma.
    first_fields: Vec<u8>,
    line: Vec<u8>,
    inflated: Vec<u8>,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(out: W, limit: u64) -> Self {
        Self { out, left: limit, first_fields: Vec::new(), line: Vec::new(), inflated: Vec::new() }
    }

    /// Says from now on for which output the events are kept.
    pub(super) fn kept_for(&mut self, output: &str) {
        self.first_fields = b"\"output\":".to_vec();
        write_string(&mut self.first_fields, output.as_bytes());
        self.first_fields.push(b',');
    }

    /// The bytes of a chunk's entries, plain.
    pub(super) fn raw(&mut self, chunk: &ChunkPayload) -> io::Result<()> {
        let entries = plain(chunk, &mut self.inflated)?;
        self.out.write_all(entries)
    }

    /// The events of a chunk, or of a piece of one, but for those before the entry `skip`.
    pub(super) fn chunk(&mut self, position: Position, chunk: &ChunkPayload, skip: u32) -> io::Result<()> {
        let Self { out, first_fields, line, inflated, left } = self;
        let entries = plain(chunk, inflated)?;
        let chunk_position = Position { entry: 0, ..position };
        for (index, entry) in (position.entry..).zip(Entries::new(entries)) {
            if *left == 0 {
                break;
            }
            if index < skip {
                continue;
            }
            *left -= 1;
            line.clear();
            let received_at = chunk.received_at().timestamp();
            line.push(b'{');
            line.extend_from_slice(first_fields);
            write!(
                line,
                r#""position":"{chunk_position}","index":{index},"received_at":"{received_at:.9}","sender":"#
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

fn plain<'a>(chunk: &'a ChunkPayload, inflated: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
    match chunk.encoding() {
        Encoding::Plain => Ok(chunk.entries()),
        encoding => {
            inflate(encoding, chunk.entries(), MAX_INFLATED_SIZE, inflated).map_err(io::Error::other)?;
            Ok(inflated)
        }
    }
}
