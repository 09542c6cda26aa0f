//! Dead letters: entries that are well-formed msgpack and no events, and whole messages that were refused three times,
//! taken out of the journal by a reader of its own, so that the intake writes the journal alone.
//!
//! One JSON object a line, in `DATA_DIR/dead-letters/YYYY-MM-DD.jsonl` by the day of receipt:
//!
//! ```json
//! {"position":"1:64","index":3,"offset":310,"reason":"the time is no time","sender":"CN=engine-1","input":"edge",
//!  "tag":"nginx.access","received_at":"2026-02-17T01:00:00.000000000Z","chunk":"base64 of the chunk id",
//!  "msgpack":"base64 of the entry"}
//! ```
//!
//! `offset` is where the entry begins in the run of entries, after inflating. A refused message has `message`, base64 of
//! all of it, in place of `index`, `offset` and `msgpack`. One that was too large for memory becomes several lines, with
//! `piece`, counted from 0, and `part`, base64 of that piece of its entries as they were sent. What an output gave up
//! ([`given_up`](crate::output::given_up)) comes from a journal of its own, through a reader of its own, into files of
//! its own: `YYYY-MM-DD.given-up.jsonl`; where it was for an output that is no more, `YYYY-MM-DD-ID.given-up.jsonl`.

use std::path::PathBuf;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::archive::Archive;
use super::lines::Lines;
use crate::chunk::HandedOver;
use crate::dead_letters::Keeper;
use crate::journal::{Position, StoredChunk};
use crate::metrics::OutputMetrics;
use crate::output::inflater::Inflater;
use crate::wire::entry::{Entries, Item};

/// The id of the dead letters' cursor. No output of a configuration can have it, since ids hold no `@`.
pub const DEAD_LETTERS: &str = "@dead-letters";

/// The id of the cursor with which they are taken out of what outputs gave up.
pub(crate) const GIVEN_UP: &str = "@given-up";

/// Lines for entries that are no events.
#[derive(Debug)]
pub(super) struct DeadLetterLines {
    /// Whose events become letters: those for the dead letters, or for an output that is no more.
    to: String,
    folder: PathBuf,
    /// Bounds the files; without it there is one for each day.
    keeper: Option<Keeper>,
    inflater: Inflater,
    metrics: OutputMetrics,
}

impl DeadLetterLines {
    pub(super) fn new(folder: PathBuf, keeper: Option<Keeper>, metrics: OutputMetrics) -> Self {
        Self { to: DEAD_LETTERS.to_owned(), folder, keeper, inflater: Inflater::default(), metrics }
    }

    /// For what was given up to an output that is no more, in files of its own beside those of the other letters.
    pub(super) fn in_place_of(output: &str, folder: PathBuf, metrics: OutputMetrics) -> Self {
        Self { to: output.to_owned(), ..Self::new(folder, None, metrics) }
    }
}

impl Lines for DeadLetterLines {
    fn take(&mut self, chunk: &StoredChunk, archive: &mut Archive) {
        let handed_over = chunk.handed_over().filter(|handed_over| handed_over.to == self.to);
        // Of what is handed to another output, bad entries became letters when it was read for the first time.
        let is_anothers = chunk.is_handed_over() && handed_over.is_none();
        if is_anothers || (handed_over.is_none() && !chunk.has_bad_entries()) {
            return;
        }
        let received_at = chunk.received_at().timestamp();
        let day = received_at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string();
        let Self { to, folder, keeper, .. } = self;
        let letter = |reason: &str| {
            serde_json::json!({
                "position": Position { entry: 0, ..chunk.position }.to_string(),
                "reason": reason,
                "sender": chunk.sender(),
                "input": chunk.input(),
                "tag": String::from_utf8_lossy(chunk.tag()),
                "received_at": format!("{received_at:.9}"),
                "chunk": chunk.id().map(|id| BASE64_STANDARD.encode(id)),
            })
        };
        let mut write = |line: Value| {
            let path = match keeper {
                Some(keeper) => keeper.path(&day),
                None if to == DEAD_LETTERS => folder.join(format!("{day}.jsonl")),
                None => folder.join(format!("{day}-{to}.given-up.jsonl")),
            };
            let text = line.to_string();
            let slot = archive.slot(&path);
            let write = |out: &mut Vec<u8>| {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
            };
            archive.append(slot, write).expect("a slot is good until the next flush");
            if let Some(keeper) = keeper {
                keeper.wrote(&day, text.len() as u64 + 1, Instant::now());
            }
        };
        if chunk.is_refused() {
            let mut line = letter(chunk.refusal().unwrap_or_default());
            let bytes = BASE64_STANDARD.encode(chunk.entries());
            if chunk.is_piece {
                line["piece"] = chunk.first_index().into();
                line["part"] = bytes.into();
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
        if let Some(handed_over) = handed_over {
            write(given_up(letter(&handed_over.reason), &handed_over, chunk, entries));
            self.metrics.dead_letter("given_up", u64::from(chunk.entry_count()));
            return;
        }
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

    fn saved(&mut self) {}

    fn abandoned(&mut self) {}

    fn housekeeping_due(&self) -> Option<Instant> {
        self.keeper.as_ref().map(Keeper::due)
    }

    fn keep_house(&mut self, now: Instant) {
        if let Some(Err(error)) = self.keeper.as_mut().map(|keeper| keeper.keep(now)) {
            tracing::error!(%error, "cannot keep the dead letters within their limit; trying again in a minute");
        }
    }
}

/// The letter of what an output gave up, or of a piece of it. Its place is that in the main journal.
fn given_up(mut line: Value, handed_over: &HandedOver, chunk: &StoredChunk, entries: &[u8]) -> Value {
    let HandedOver { from, segment, offset, first, attempts, in_doubt, message_id, chunk: id, .. } =
        handed_over;
    line["position"] = Position::new(*segment, *offset).to_string().into();
    line["index"] = (*first + chunk.first_index()).into();
    line["chunk"] = id.as_deref().into();
    line["output"] = from.as_str().into();
    line["attempts"] = (*attempts).into();
    line["in_doubt"] = (*in_doubt).into();
    line["message_id"] = match chunk.first_index() {
        0 => message_id.as_str().into(),
        // A server that has one piece must not take the next for it.
        piece => format!("{message_id}.{piece}").into(),
    };
    if let Some(file) = &handed_over.file {
        line["path"] = file.path.as_str().into();
    }
    line["events"] = chunk.entry_count().into();
    line["entries"] = BASE64_STANDARD.encode(entries).into();
    line
}
