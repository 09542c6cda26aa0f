//! Leaving segments behind: an output goes on further ahead.

use std::io;

use super::backlog::{Fate, Skip, start_of};
use super::cursor::{CursorError, CursorFolder, SavedCursor};
use super::format::chunk_payload::ChunkPayload;
use super::frame_reader::FrameReader;
use super::left_behind::read_footer;
use super::missing::tell_vanished;
use super::set_aside::SetAsideError;
use super::shared::{Held, Shared};
use crate::storage::is_for_want_of_space;

/// An output can't leave its backlog behind, and so holds it.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    #[error(transparent)]
    SetAside(#[from] SetAsideError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

impl SkipError {
    /// Whether nobody can tell where the output is, before somebody has looked what is on the disk.
    pub fn is_uncertain(&self) -> bool {
        matches!(
            self,
            Self::SetAside(SetAsideError::Uncertain { .. }) | Self::Cursor(CursorError::Uncertain { .. })
        )
    }
}

/// What lies in a part of the journal.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    entries: u64,
    bytes: u64,
}

/// Moves a cursor on, a segment at a time; after an error it is where it says. A replay ends: what it would deliver was
/// delivered once, and nothing of it is lost or set aside.
///
/// A segment that is set aside is left behind once that is durable, whether or not the cursor can be saved then: the
/// next start sees it.
pub(super) fn skip(
    shared: &Shared,
    cursors: &CursorFolder,
    id: &str,
    cursor: &mut SavedCursor,
    skip: Skip,
) -> Result<(), SkipError> {
    if cursor.replays.current.is_some() {
        let resumed = cursor.resumed();
        cursors.save_elsewhere(id, &resumed)?;
        end_replay(shared, id, cursor, resumed);
    }
    if cursor.position >= skip.to {
        return Ok(());
    }
    for segment in shared.segments_between(cursor.position.segment, skip.to.segment) {
        let begins_later = cursor.position.segment == segment && cursor.position > start_of(segment);
        let from = SavedCursor {
            position: if begins_later { cursor.position } else { start_of(segment) },
            ..*cursor
        };
        let extent = extent(shared, &from);
        let next = SavedCursor { position: start_of(segment + 1), ..*cursor };
        let is_gone = matches!(shared.folder.storage().stat(&shared.folder.segment_path(segment)), Ok(None));
        if is_gone {
            tell_vanished(shared, segment);
        }
        let skip = Skip { fate: if is_gone { Fate::Dropped } else { skip.fate }, ..skip };
        if skip.fate == Fate::SetAside {
            set_aside(shared, cursors, id, &from)?;
            *cursor = next;
        }
        let saved = cursors.save_elsewhere(id, &next);
        if skip.fate == Fate::Dropped {
            saved?;
            *cursor = next;
            count(shared, id, skip.fate, &from, extent);
        } else {
            count(shared, id, skip.fate, &from, extent);
            saved?;
        }
        shared.set_cursor(id, Held::by(&next));
    }
    Ok(())
}

/// Moves a cursor to where it is by what is on the disk, after a skip of which nobody could tell how it ended. The name
/// of the cursor must be durable.
pub(super) fn find_out(
    shared: &Shared,
    cursors: &CursorFolder,
    id: &str,
    cursor: &mut SavedCursor,
) -> Result<(), SkipError> {
    // What was set aside is left behind though the cursor does not say so; nothing else comes before its cursor.
    let behind = shared.set_aside.find_out(id, *cursor)?;
    if behind != *cursor {
        count(shared, id, Fate::SetAside, cursor, extent(shared, cursor));
        *cursor = behind;
        cursors.save_elsewhere(id, cursor)?;
        shared.set_cursor(id, Held::by(cursor));
        return Ok(());
    }
    let Some(found) = cursors.load(id)? else { return Ok(()) };
    if cursor.replays.current.is_some() && found.replays.current.is_none() {
        end_replay(shared, id, cursor, found);
    } else if found.resumed().position > cursor.resumed().position {
        count(shared, id, Fate::Dropped, cursor, extent(shared, cursor));
        *cursor = found;
        shared.set_cursor(id, Held::by(cursor));
    }
    Ok(())
}

fn end_replay(shared: &Shared, id: &str, cursor: &mut SavedCursor, resumed: SavedCursor) {
    *cursor = resumed;
    shared.set_cursor(id, Held::by(cursor));
    tracing::warn!(
        output = id, number = cursor.replays.count, at = %cursor.position,
        "a replay ends early, for the journal needs the space: the output goes on where it was"
    );
}

fn set_aside(
    shared: &Shared,
    cursors: &CursorFolder,
    id: &str,
    from: &SavedCursor,
) -> Result<(), SetAsideError> {
    let large = shared.large_of(from.position.segment);
    let put = || shared.set_aside.put(&shared.folder, id, from, &large, shared.max_set_aside(id));
    match put() {
        Err(SetAsideError::Io { source, .. }) if is_for_want_of_space(&source) => {
            cursors.use_reserve();
            put()
        }
        put => put,
    }
}

fn count(shared: &Shared, id: &str, fate: Fate, from: &SavedCursor, extent: Extent) {
    let Extent { entries, bytes } = extent;
    let metrics = &shared.metrics;
    metrics.skipped_records.with_label_values(&[id, fate.label()]).inc_by(entries);
    metrics.skipped_bytes.with_label_values(&[id, fate.label()]).inc_by(bytes);
    match fate {
        Fate::SetAside => tracing::warn!(
            output = id, from = %from.position, events = entries, bytes,
            "the output is too far behind: a journal segment was set aside for it among the dead letters, and it goes \
             on behind it"
        ),
        Fate::Dropped => tracing::warn!(
            output = id, from = %from.position, events = entries, bytes,
            "the output is too far behind: it goes on behind a journal segment, and what it had not delivered of that \
             is lost to it"
        ),
    }
    if let Ok(held) = shared.set_aside.bytes(id) {
        metrics.set_aside_bytes.with_label_values(&[id]).set(i64::try_from(held).unwrap_or(i64::MAX));
    }
}

/// What lies from a position to the end of its segment; without the entries where that can't be read.
fn extent(shared: &Shared, from: &SavedCursor) -> Extent {
    let segment = from.position.segment;
    read_extent(shared, from).unwrap_or_else(|error| {
        tracing::warn!(%error, segment, "cannot count the events of a journal segment that is left behind");
        Extent { entries: 0, bytes: shared.end_of(segment).saturating_sub(from.position.offset) }
    })
}

fn read_extent(shared: &Shared, from: &SavedCursor) -> io::Result<Extent> {
    let position = from.position;
    let end = shared.end_of(position.segment);
    let large: u64 = shared
        .large_of(position.segment)
        .iter()
        .filter(|(place, _)| place.offset >= position.offset)
        .map(|(_, length)| length)
        .sum();
    let bytes = large + end.saturating_sub(position.offset);
    if position == start_of(position.segment)
        && let Some((_, footer)) = read_footer(&shared.folder, &shared.journal, position.segment)?
    {
        return Ok(Extent { entries: footer.counts.entries, bytes });
    }
    let file = shared.folder.open(position.segment)?;
    let mut reader = FrameReader::new(file, shared.journal, position.segment);
    let (mut offset, mut entries) = (position.offset, 0);
    while offset < end {
        match reader.frame_at(offset, end)? {
            Some(frame) => {
                offset = frame.next;
                entries += ChunkPayload::decode_head(frame.payload)
                    .map_or(0, |chunk| u64::from(chunk.entry_count()));
            }
            None => match reader.find_frame(offset, end)?.frame {
                Some(next) => offset = next,
                None => break,
            },
        }
    }
    Ok(Extent { entries: entries.saturating_sub(u64::from(position.entry)), bytes })
}
