//! Opening a journal: what is on disk is checked, cut at its torn tail, and made durable again, before anything
//! listens.

mod error;
mod going_on;
mod journal;
mod large;
mod remember;
mod segments;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use error::OpenError;

use super::active_segment::ActiveSegment;
use super::dedup::{Dedup, DedupLimits};
use super::format::JournalId;
use super::kept_ids::KeptIds;
use super::large::LargePlace;
use super::missing::{Evidence, missing, tell};
use super::segment_file::{Listing, SegmentFolder};
use super::shared::SegmentState;
use super::synced_mark::SyncedMark;
use super::{CursorFolder, Position};
use crate::config::JournalConfig;
use crate::event_time::EventTime;
use crate::metrics::JournalMetrics;
use crate::storage::{Storage, is_for_want_of_space};

/// What opening found, besides the segment to go on with.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) folder: SegmentFolder,
    pub(super) journal: JournalId,
    pub(super) segments: BTreeMap<u64, SegmentState>,
    pub(super) dedup: Dedup,
    pub(super) kept_ids: KeptIds,
    /// Files of large chunks, and their lengths.
    pub(super) large: Vec<(LargePlace, u64)>,
    /// Damage that has to be set aside.
    pub(super) damaged: Vec<(u64, std::ops::Range<u64>)>,
    pub(super) mark: SyncedMark,
    /// Up to where it was synced for certain.
    synced: Position,
}

/// Takes the data folder for this process alone, as long as the file is open.
pub(super) fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let path = data_dir.join("lock");
    let io_error = |source| OpenError::Io { action: "lock", path: path.clone(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: data_dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io_error(source)),
    }
}

/// Reads the folder, repairs its end, and gives the segment to go on with.
pub(super) fn open(
    storage: &Arc<dyn Storage>,
    data_dir: &Path,
    cursors: &CursorFolder,
    config: &JournalConfig,
    metrics: &JournalMetrics,
    now: EventTime,
) -> Result<(Opened, ActiveSegment), OpenError> {
    let path = data_dir.join("journal");
    let (folder, listing) = list(storage, &path)?;
    let mark = SyncedMark::open(&folder).map_err(on("read the synced mark in", &path))?;
    let mut saved = Vec::new();
    for id in cursors.ids()? {
        saved.extend(cursors.load(&id)?);
    }
    let evidence = Evidence::new(storage.as_ref(), data_dir, saved, mark.last().copied())
        .map_err(on("look up the home of", data_dir))?;
    let journal = match segments::read_headers(&folder, &listing.segments)?.or(evidence.journal()) {
        Some(journal) => journal,
        None => storage.draw().to_le_bytes(),
    };
    let needed = evidence.needed(&journal);
    let mut opened = Opened {
        folder,
        journal,
        segments: BTreeMap::new(),
        dedup: Dedup::new(DedupLimits {
            window: config.dedup_window,
            max_ids: config.dedup_max_ids,
            max_ids_by_sender: config.dedup_max_ids_by_sender,
        }),
        kept_ids: KeptIds::default(),
        large: Vec::new(),
        damaged: Vec::new(),
        mark,
        synced: evidence.synced(&journal).unwrap_or(Position::new(0, 0)),
    };
    opened.remember_removed(&listing.ids).map_err(on("read chunk ids in", &path))?;
    tell(&missing(&listing.segments, needed, opened.begun()), metrics);
    match opened.mark.prepare() {
        // It is made before it is needed, or senders wait.
        Err(error) if is_for_want_of_space(&error) => {}
        prepared => prepared.map_err(on("prepare the synced mark in", &path))?,
    }
    let active = opened.take(listing, needed, config, metrics, now, &path)?;
    if evidence.is_of_a_copy {
        let end = Position::new(active.number, active.state().end);
        opened.mark.begin_anew(journal, end).map_err(on("note the end of what was restored in", &path))?;
    }
    if !active.is_sealed() {
        opened.segments.insert(active.number, active.state());
    }
    Ok((opened, active))
}

/// Makes the folder where it is missing, tidies up what a kill left, and lists it.
fn list(storage: &Arc<dyn Storage>, path: &Path) -> Result<(SegmentFolder, Listing), OpenError> {
    super::durable::create_folder(storage.as_ref(), path).map_err(on("make", path))?;
    let folder = SegmentFolder::new(Arc::clone(storage), path);
    // The process before may have ended between the renaming of a segment and the sync of its name. What is written to
    // it from now on is acknowledged, and must be found again.
    folder.sync().map_err(on("sync", path))?;
    folder.remove_temporary_files().map_err(on("clean", path))?;
    let listing = folder.list().map_err(on("list", path))?;
    for foreign in &listing.foreign {
        tracing::warn!(path = %foreign.display(), "a file in the journal's folder is none of ours: left alone");
    }
    Ok((folder, listing))
}

impl Opened {
    /// Takes up what is on disk, and the segment to go on with.
    fn take(
        &mut self,
        listing: Listing,
        needed: Option<u64>,
        config: &JournalConfig,
        metrics: &JournalMetrics,
        now: EventTime,
        path: &Path,
    ) -> Result<ActiveSegment, OpenError> {
        let newest = listing.segments.last().copied();
        // Where those behind it are missing, it was sealed as any other.
        let last = newest.filter(|newest| *newest >= self.synced.segment);
        let mut referred_to = Vec::new();
        let mut unsealed = None;
        for segment in listing.segments {
            let found = self
                .take_segment(segment, Some(segment) == last, &mut referred_to, metrics)
                .map_err(on("recover", &self.folder.segment_path(segment)))?;
            unsealed = unsealed.or(found);
        }
        self.take_large(listing.large, needed, last, &referred_to)
            .map_err(on("tidy up the large chunks in", path))?;
        match (last, unsealed) {
            (Some(last), Some(scan)) => self.go_on_in(last, scan, config.segment_size),
            _ => self.go_on_behind(newest, config, now),
        }
        .map_err(on("begin a segment in", path))
    }

    /// The newest segment of which it is certain that it was begun.
    fn begun(&self) -> Option<u64> {
        Some(self.synced.segment).filter(|begun| *begun > 0)
    }
}

/// An error of the disk while something was done to a file or folder.
fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io { action, path: path.to_owned(), source }
}
