//! Dead letters: entries that are well-formed msgpack and no events, and whole messages that were refused three times,
//! taken out of the journal by a reader of its own, so that the intake writes the journal alone.
//!
//! One JSON object a line, in `DATA_DIR/dead-letters/YYYY-MM-DD.jsonl` by the day of receipt:
//!
//! ```json
//! {"position":"1:64","index":3,"offset":310,"reason":"the time is no time","sender":"CN=engine-1",
//!  "tag":"nginx.access","received_at":"2026-02-17T01:00:00.000000000Z","chunk":"base64 of the chunk id",
//!  "msgpack":"base64 of the entry"}
//! ```
//!
//! `offset` is where the entry begins in the run of entries, after inflating. A refused message has `message`, base64 of
//! all of it, in place of `index`, `offset` and `msgpack`. One that was too large for memory becomes several lines, with
//! `piece`, counted from 0, and `entries`, base64 of that piece of its entries as they were sent.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::archive::Archive;
use super::lines::{Inflater, Lines};
use crate::journal::{Position, StoredChunk};
use crate::metrics::OutputMetrics;
use crate::wire::entry::{Entries, Item};

/// The id of the dead letters' cursor. No output of a configuration can have it, since ids hold no `@`.
pub const DEAD_LETTERS: &str = "@dead-letters";

/// Lines for entries that are no events.
#[derive(Debug)]
pub(super) struct DeadLetterLines {
    folder: PathBuf,
    inflater: Inflater,
    metrics: OutputMetrics,
}

impl DeadLetterLines {
    pub(super) fn new(folder: PathBuf, metrics: OutputMetrics) -> Self {
        Self { folder, inflater: Inflater::default(), metrics }
    }
}

impl Lines for DeadLetterLines {
    fn take(&mut self, chunk: &StoredChunk, archive: &mut Archive) {
        if !chunk.has_bad_entries() {
            return;
        }
        let received_at = chunk.received_at().timestamp();
        let day = received_at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d.jsonl").to_string();
        let slot = archive.slot(&self.folder.join(day));
        let letter = |reason: &str| {
            serde_json::json!({
                "position": Position { entry: 0, ..chunk.position }.to_string(),
                "reason": reason,
                "sender": chunk.sender(),
                "tag": String::from_utf8_lossy(chunk.tag()),
                "received_at": format!("{received_at:.9}"),
                "chunk": chunk.id().map(|id| BASE64_STANDARD.encode(id)),
            })
        };
        let mut write = |line: Value| {
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(line.to_string().as_bytes());
                out.push(b'\n');
            };
            archive.append(slot, write).expect("a slot is good until the next flush");
        };
        if chunk.is_refused() {
            let mut line = letter(chunk.refusal().unwrap_or_default());
            let bytes = BASE64_STANDARD.encode(chunk.entries());
            if chunk.is_piece {
                line["piece"] = chunk.first_index().into();
                line["entries"] = bytes.into();
            } else {
                line["message"] = bytes.into();
            }
            write(line);
            if chunk.first_index() == 0 {
                self.metrics.dead_letter("refused_message", 1);
            }
            return;
        }
        let entries = match self.inflater.entries(chunk) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(position = %chunk.position, %error, "a chunk in the journal does not inflate");
                return;
            }
        };
        let mut walk = Entries::new(entries);
        for index in chunk.first_index().. {
            let offset = walk.offset();
            let Some(entry) = walk.next() else { break };
            let Ok(Item::Bad(bad)) = entry else { continue };
            let mut line = letter(&bad.reason.to_string());
            line["index"] = index.into();
            // Of the later pieces of a large chunk nobody knows how many bytes lie before.
            if chunk.position.entry == 0 {
                line["offset"] = offset.into();
            }
            line["msgpack"] = BASE64_STANDARD.encode(bad.bytes).into();
            write(line);
            self.metrics.dead_letter(bad.reason.label(), 1);
        }
    }

    fn written(&mut self) {}

    fn abandoned(&mut self) {}
}
