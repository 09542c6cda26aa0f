//! From a data folder to a journal that takes chunks.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::{OpenError, on};
use crate::config::{JournalConfig, WhenFull};
use crate::event_time::EventTime;
use crate::journal::frame_reader::FrameReader;
use crate::journal::handle::RunningWriter;
use crate::journal::large::SpoolFolder;
use crate::journal::next_segment::Spare;
use crate::journal::packing::ChunkPacker;
use crate::journal::removal::REMOVED_WHILE_ASKED;
use crate::journal::retention::Retention;
use crate::journal::shared::{Held, Limits, Shared, Status};
use crate::journal::writer::Writer;
use crate::journal::{CursorError, CursorFolder, Journal, Position, QueueRoom, SavedCursor, SetAside};
use crate::journal::{damage, durable, writer_thread};
use crate::metrics::JournalMetrics;
use crate::storage::{self, Storage};

/// Chunks that may wait for the writer; past it [`Journal::append`] waits. Their bytes are bounded by the inputs.
const QUEUE_LENGTH: usize = 1024;

impl Journal {
    /// Opens the journal below a data folder, or makes it, and starts its writer.
    ///
    /// # Errors
    ///
    /// Where the folder is in use, holds what is none of ours, or can't be read and written. Nothing is changed then.
    pub fn open(data_dir: &Path, config: &JournalConfig, metrics: JournalMetrics) -> Result<Self, OpenError> {
        let storage = storage::disk();
        durable::create_folder(storage.as_ref(), data_dir).map_err(on("make", data_dir))?;
        let lock = super::lock(data_dir)?;
        let (journal, writer) = Self::open_on(&storage, data_dir, config, metrics, EventTime::now())?;
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || writer_thread::run(writer))
            .map_err(on("start the writer of", data_dir))?;
        *journal.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(RunningWriter { thread, lock });
        Ok(journal)
    }

    /// Opens the journal below a data folder that is locked, and leaves the writer to the caller.
    pub(crate) fn open_on(
        storage: &Arc<dyn Storage>,
        data_dir: &Path,
        config: &JournalConfig,
        metrics: JournalMetrics,
        now: EventTime,
    ) -> Result<(Self, Writer), OpenError> {
        let cursors = CursorFolder::on(Arc::clone(storage), data_dir);
        cursors.prepare()?;
        let spools = SpoolFolder::on(Arc::clone(storage), data_dir);
        let spools = spools.refusing(config.when_full == WhenFull::Reject);
        spools.prepare().map_err(on("clean", spools.path()))?;
        let (opened, active) = super::open(storage, data_dir, &cursors, config, &metrics, now)?;

        let limits = Limits { max_size: config.max_size, memory: config.memory };
        let set_aside = SetAside::on(Arc::clone(storage), data_dir);
        let packer = Arc::new(ChunkPacker::new(config.compression, metrics.clone()));
        let shared =
            Arc::new(Shared::new(opened.folder, opened.journal, limits, metrics, set_aside, opened.segments));
        for (place, length) in opened.large {
            shared.add_large(place, length);
        }
        for (segment, range) in opened.damaged {
            let file = shared.folder.open(segment).map_err(on("read", data_dir))?;
            let reader = FrameReader::new(file, shared.journal, segment);
            let mut reader = reader.passing_over_damage();
            damage::set_aside(&shared, &mut reader, range.start, range.end);
        }
        hold_for_all(&shared, &cursors)?;
        shared.metrics.max_bytes.set(i64::try_from(config.max_size).unwrap_or(i64::MAX));
        shared.set_status(Status::Accepting);
        shared.set_taken(opened.dedup.turn());
        let mut dedup = opened.dedup;
        // What is forgotten anew while footers are read was counted when it was forgotten first.
        dedup.take_evicted();

        let (requests, receiver) = mpsc::channel(QUEUE_LENGTH);
        let queue_room = QueueRoom::new(shared.metrics.queued_bytes.clone());
        let writer = Writer {
            shared: Arc::clone(&shared),
            cursors: cursors.clone(),
            requests: receiver,
            active,
            mark: opened.mark,
            dedup,
            kept_ids: opened.kept_ids,
            dedup_max_size: config.dedup_max_size,
            segment_size: config.segment_size,
            packing: config.compression,
            max_size: config.max_size,
            retention: Retention::new(config.retain),
            when_full: config.when_full,
            may_remove: REMOVED_WHILE_ASKED,
            pace: config.pace,
            spare: Spare::default(),
            replies: Vec::new(),
            next: None,
            closing: false,
            asked_since: None,
        };
        let journal = Self {
            shared,
            requests,
            queue_room,
            cursors,
            spools,
            segment_size: config.segment_size,
            when_full: config.when_full,
            packer,
            writer: Arc::default(),
        };
        Ok((journal, writer))
    }

    /// Takes a data folder for this process alone, without opening the journal in it.
    pub fn lock(data_dir: &Path) -> Result<std::fs::File, OpenError> {
        super::lock(data_dir)
    }
}

/// Sees to it that every output holds its backlog, also those that the config no longer has.
fn hold_for_all(shared: &Shared, cursors: &CursorFolder) -> Result<(), OpenError> {
    for id in cursors.ids()? {
        if let Some(saved) = cursors.load(&id)? {
            let cursor = shared.set_aside.settle(&id, saved)?;
            if cursor != saved {
                cursors.save_elsewhere(&id, &cursor)?;
            }
            let held = if cursor.journal == shared.journal {
                Held::by(&keep_within(cursors, &id, cursor, shared.newest())?)
            } else {
                Held { from: shared.oldest(), backlog: shared.oldest() }
            };
            shared.set_cursor(&id, held);
        }
    }
    Ok(())
}

/// Sets a cursor back that is further than the journal reaches, as in a copy that was taken while the server ran: what is
/// received next comes to lie where it points to, or before.
fn keep_within(
    cursors: &CursorFolder,
    id: &str,
    cursor: SavedCursor,
    newest: Position,
) -> Result<SavedCursor, CursorError> {
    let within = cursor.within(newest);
    if within != cursor {
        tracing::error!(
            output = id,
            cursor = %cursor.position,
            journal_end = %newest,
            "the output was further than the journal reaches: an older copy was restored, or synced data was lost"
        );
        cursors.save(id, &within)?;
    }
    Ok(within)
}
