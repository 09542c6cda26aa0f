//! Opening a journal: what is on disk is checked, cut at its torn tail, and made durable again, before anything
//! listens.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::active_segment::ActiveSegment;
use super::dedup::{Dedup, DedupLimits};
use super::format::JournalId;
use super::format::footer::{Footer, Noted};
use super::format::segment_header::{SegmentHeader, SegmentHeaderError};
use super::frame_reader::FrameReader;
use super::kept_ids::KeptIds;
use super::large::LargePlace;
use super::left_behind::{IdsFile, read_footer, read_ids};
use super::missing::{Evidence, missing, tell};
use super::scan::{Scan, Standing, scan};
use super::segment_file::{SegmentFolder, allocate, read_header};
use super::shared::SegmentState;
use super::synced_mark::SyncedMark;
use super::{CursorFolder, Position};
use crate::config::JournalConfig;
use crate::event_time::EventTime;
use crate::metrics::JournalMetrics;
use crate::planted::{Bug, is_planted};
use crate::storage::{Storage, StorageFile, insist, is_for_damage, is_for_want_of_space, write_all_at};

/// A journal that can't be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} is in use by another hikyaku: stop that one first, or give this one a data_dir of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("{} can't be used: {source}. Move it away to start without it", path.display())]
    Segment { path: PathBuf, source: SegmentHeaderError },
    #[error(
        "{} belongs to another journal than {}: two data folders were mixed. Move one of them away",
        path.display(),
        other.display()
    )]
    Mixed { path: PathBuf, other: PathBuf },
    #[error(transparent)]
    Cursor(#[from] super::CursorError),
    #[error(transparent)]
    SetAside(#[from] super::SetAsideError),
}

/// What an operator can do where it is not the disk that fails.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::ReadOnlyFilesystem => {
            "; `data_dir` in [server] must name a folder that the user of this process may make and write to"
        }
        _ => "",
    }
}

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
    let on_folder = |action| {
        let path = path.clone();
        move |source| OpenError::Io { action, path, source }
    };
    super::durable::create_folder(storage.as_ref(), &path).map_err(on_folder("make"))?;
    let folder = SegmentFolder::new(Arc::clone(storage), &path);
    // The process before may have ended between the renaming of a segment and the sync of its name. What is written to
    // it from now on is acknowledged, and must be found again.
    folder.sync().map_err(on_folder("sync"))?;
    folder.remove_temporary_files().map_err(on_folder("clean"))?;
    let listing = folder.list().map_err(on_folder("list"))?;
    for foreign in &listing.foreign {
        tracing::warn!(path = %foreign.display(), "a file in the journal's folder is none of ours: left alone");
    }

    let mut mark = SyncedMark::open(&folder).map_err(on_folder("read the synced mark in"))?;
    let mut saved = Vec::new();
    for id in cursors.ids()? {
        saved.extend(cursors.load(&id)?);
    }
    let evidence =
        Evidence::new(storage.as_ref(), data_dir, saved, mark.last().copied()).map_err(|source| {
            OpenError::Io { action: "look up the home of", path: data_dir.to_owned(), source }
        })?;
    let journal = match read_headers(&folder, &listing.segments)?.or(evidence.journal()) {
        Some(journal) => journal,
        None => storage.draw().to_le_bytes(),
    };
    let synced = evidence.synced(&journal).unwrap_or(Position::new(0, 0));
    let mut dedup = Dedup::new(DedupLimits {
        window: config.dedup_window,
        max_ids: config.dedup_max_ids,
        max_ids_by_sender: config.dedup_max_ids_by_sender,
    });
    let mut kept_ids = KeptIds::default();
    for (segment, bytes) in listing.ids {
        let ids = read_ids(&folder, &journal, segment).map_err(on_folder("read chunk ids in"))?;
        match &ids {
            Some(left) => remember(&mut dedup, &left.footer, segment),
            None => tracing::warn!(
                path = %folder.ids_path(segment).display(),
                "old chunk ids are damaged or of another journal: resends of that time may be delivered twice"
            ),
        }
        let ids = ids.map_or(0, |left| left.footer.id_count());
        kept_ids.insert(segment, IdsFile { bytes, ids });
    }
    let begun = Some(synced.segment).filter(|begun| *begun > 0);
    tell(&missing(&listing.segments, evidence.needed(&journal), begun), metrics);
    match mark.prepare() {
        // It is made before it is needed, or senders wait.
        Err(error) if is_for_want_of_space(&error) => {}
        prepared => prepared.map_err(on_folder("prepare the synced mark in"))?,
    }

    let mut opened = Opened {
        folder,
        journal,
        segments: BTreeMap::new(),
        dedup,
        kept_ids,
        large: Vec::new(),
        damaged: Vec::new(),
        mark,
        synced,
    };
    let newest = listing.segments.last().copied();
    // Where those behind it are missing, it was sealed as any other.
    let last = newest.filter(|newest| *newest >= synced.segment);
    let large = listing.large;
    let mut referred_to = Vec::new();
    let mut unsealed = None;
    for segment in listing.segments {
        let found = opened.take_segment(segment, Some(segment) == last, &mut referred_to, metrics).map_err(
            |source| OpenError::Io { action: "recover", path: opened.folder.segment_path(segment), source },
        )?;
        unsealed = unsealed.or(found);
    }
    let first = evidence.needed(&journal);
    opened.take_large(large, first, last, &referred_to).map_err(on_folder("tidy up the large chunks in"))?;
    let active = match (last, unsealed) {
        (Some(last), Some(scan)) => opened.go_on_in(last, scan, config.segment_size),
        _ => {
            // A number is never used again, not even one of a segment that is missing.
            let number = newest.max(opened.kept_ids.newest()).max(begun).unwrap_or(0);
            match (opened.begin_segment(number + 1, config, now), newest) {
                (Err(error), Some(newest)) if is_for_want_of_space(&error) => opened.stay_in(newest, number),
                (begun, _) => begun,
            }
        }
    }
    .map_err(on_folder("begin a segment in"))?;
    if evidence.is_of_a_copy {
        let end = Position::new(active.number, active.state().end);
        opened.mark.begin_anew(journal, end).map_err(on_folder("note the end of what was restored in"))?;
    }
    if !active.is_sealed() {
        opened.segments.insert(active.number, active.state());
    }
    Ok((opened, active))
}

impl Opened {
    /// Takes up a segment that is on disk. The last one is given back if it can be written on.
    ///
    /// The last one is read as a whole even if it was sealed: its footer may have reached the disk before a chunk
    /// that the footer names, and an id without its chunk would make a resend look like a repeat.
    fn take_segment(
        &mut self,
        segment: u64,
        is_last: bool,
        referred_to: &mut Vec<u64>,
        metrics: &JournalMetrics,
    ) -> io::Result<Option<Scan>> {
        let length = insist(|| self.folder.open(segment)?.stat())?.length;
        let footer = match insist(|| read_footer(&self.folder, &self.journal, segment)) {
            Err(error) if is_for_damage(&error) => None,
            footer => footer?,
        };
        // Without a trailer, as when the process ended between the two, a footer is found by nobody.
        let has_trailer = footer.is_some();
        if !is_last && let Some((end, footer)) = footer {
            remember(&mut self.dedup, &footer, segment);
            let last_received_at = footer.counts.last_received_at;
            let state = SegmentState { end, sealed: true, bytes_on_disk: length, last_received_at };
            self.segments.insert(segment, state);
            return Ok(None);
        }
        let standing =
            if is_last { Standing::Last { synced: self.synced_in(segment) } } else { Standing::Followed };
        let (scan, is_readable) = self.scan_what_reads(segment, length, standing)?;
        remember(&mut self.dedup, &scan.footer, segment);
        self.damaged.extend(scan.damaged.iter().map(|range| (segment, range.clone())));
        if is_last {
            referred_to.extend(scan.large.iter().map(|(offset, _)| *offset));
        }
        if is_last && !is_readable {
            // Nothing is written any more to what the disk can't read. It ends here, so that nothing behind comes to life.
            let file = self.folder.open_for_writing(segment)?;
            file.set_len(scan.end)?;
            file.sync()?;
            metrics.torn_bytes.inc_by(scan.torn);
        } else if is_last && !(scan.sealed && has_trailer) {
            metrics.torn_bytes.inc_by(scan.torn);
            return Ok(Some(scan));
        } else if is_last {
            let file = self.folder.open_for_writing(segment)?;
            self.write_again(file.as_ref(), segment, scan.synced, length)?;
            file.sync()?;
            self.check_again(segment, &scan, length)?;
        } else {
            tracing::warn!(
                path = %self.folder.segment_path(segment).display(),
                "the footer of a sealed segment is damaged: its chunks were found by reading all of it"
            );
        }
        let last_received_at = scan.footer.counts.last_received_at;
        let state = SegmentState { end: scan.end, sealed: true, bytes_on_disk: length, last_received_at };
        self.segments.insert(segment, state);
        Ok(None)
    }

    /// Scans a segment, and whether the disk can read all of it. Where it can't, what it reads is found all the same.
    fn scan_what_reads(&self, segment: u64, length: u64, standing: Standing) -> io::Result<(Scan, bool)> {
        let reader =
            || Ok::<_, io::Error>(FrameReader::new(self.folder.open(segment)?, self.journal, segment));
        match insist(|| scan(&mut reader()?, length, standing)) {
            Err(error) if is_for_damage(&error) => {
                tracing::error!(
                    path = %self.folder.segment_path(segment).display(), %error,
                    "the disk can't read a part of a journal segment: what reads is delivered. Check the disk"
                );
                Ok((scan(&mut reader()?.passing_over_damage(), length, standing)?, false))
            }
            scanned => Ok((scanned?, true)),
        }
    }

    /// Takes up the files of large chunks. Only in the last segment may there be some without a frame: those that were
    /// named just before the power went, and nobody was told that they are kept.
    fn take_large(
        &mut self,
        files: Vec<(LargePlace, u64)>,
        needed: Option<u64>,
        last: Option<u64>,
        referred_to: &[u64],
    ) -> io::Result<()> {
        let first = self.segments.keys().next().copied().or(last);
        let first = first.into_iter().chain(needed).min();
        for (place, length) in files {
            let path = self.folder.large_path(place);
            let is_kept = match Some(place.segment) == last {
                true => referred_to.contains(&place.offset),
                false => self.segments.contains_key(&place.segment),
            };
            let is_damaged = self
                .damaged
                .iter()
                .any(|(segment, range)| *segment == place.segment && range.contains(&place.offset));
            let behind = last.unwrap_or(self.synced.segment + 1);
            let is_missing = first.is_some_and(|first| first <= place.segment) && place.segment < behind;
            if is_kept {
                self.large.push((place, length));
            } else if is_damaged || is_missing {
                let to = super::damage::set_file_aside(&self.folder, &path)?;
                self.folder.storage().remove(&path)?;
                tracing::error!(
                    copy = %to.display(), bytes = length,
                    "the frame of a large chunk is lost, and the chunk with it: its entries were set aside"
                );
            } else {
                self.folder.storage().remove(&path)?;
                tracing::info!(
                    path = %path.display(), bytes = length,
                    "removed a large chunk without a frame: it was not acknowledged, or delivered and let go"
                );
            }
        }
        self.folder.sync()
    }

    /// Up to where a segment was synced for certain.
    fn synced_in(&self, segment: u64) -> u64 {
        if self.synced.segment == segment { self.synced.offset } else { 0 }
    }

    /// After a failed sync the page cache may show bytes that never reached the disk: what is not marked as synced is
    /// written once more, so that the sync that follows is about these very bytes.
    fn write_again(&self, file: &dyn StorageFile, segment: u64, from: u64, to: u64) -> io::Result<()> {
        let reading = self.folder.open(segment)?;
        let unsure = FrameReader::new(reading, self.journal, segment).bytes(from, to)?;
        write_all_at(file, &unsure, from)
    }

    /// What was written again is what the kernel showed then, which after a failed sync need not be what it showed
    /// when the segment was scanned. A chunk that got lost in between must not be taken for one that is kept.
    fn check_again(&self, segment: u64, before: &Scan, length: u64) -> io::Result<()> {
        let mut reader = FrameReader::new(self.folder.open(segment)?, self.journal, segment);
        let standing = Standing::Last { synced: self.synced_in(segment) };
        let now = scan(&mut reader, length, standing)?;
        if (now.end, &now.footer) == (before.end, &before.footer) {
            return Ok(());
        }
        Err(io::Error::other("its bytes changed while they were read, as after a failed write. Start again"))
    }

    /// Makes the end of the last segment trustworthy and goes on behind it.
    fn go_on_in(&mut self, segment: u64, scan: Scan, segment_size: u64) -> io::Result<ActiveSegment> {
        let file = self.folder.open_for_writing(segment)?;
        let header = SegmentHeader::decode(&read_header(self.folder.open(segment)?.as_ref())?)
            .map_err(io::Error::other)?;
        self.write_again(file.as_ref(), segment, scan.synced.min(scan.end), scan.end)?;
        // Cut, so that no frame of the torn tail can ever line up behind a new one; then allocated again.
        file.set_len(scan.end)?;
        let size = match allocate(file.as_ref(), scan.end, segment_size) {
            Ok(()) => segment_size.max(scan.end),
            // The backlog can be delivered all the same, which may be what makes room; the first append waits for it.
            Err(error) if is_for_want_of_space(&error) => scan.end,
            Err(error) => return Err(error),
        };
        file.sync()?;
        self.check_again(segment, &scan, scan.end)?;
        if scan.torn > 0 {
            tracing::info!(
                segment,
                bytes = scan.torn,
                "cut a half-written tail off the journal, as after a crash: nothing says that it was ever synced, and what \
                 was not acknowledged is sent again"
            );
        }
        let active = ActiveSegment::new(segment, self.journal, file, size, scan.end, scan.footer);
        Ok(active.packed(header.may_be_packed))
    }

    /// There is no space for another segment yet, which comes behind this number. The backlog can be delivered all the same,
    /// which may be what makes room.
    fn stay_in(&self, last: u64, number: u64) -> io::Result<ActiveSegment> {
        let state = self.segments.get(&last).ok_or(io::ErrorKind::NotFound)?;
        let file = self.folder.open(last)?;
        Ok(ActiveSegment::sealed(number, self.journal, file, state.bytes_on_disk, state.end))
    }

    fn begin_segment(
        &mut self,
        segment: u64,
        config: &JournalConfig,
        now: EventTime,
    ) -> io::Result<ActiveSegment> {
        let file = self.folder.allocate_spare(config.segment_size)?;
        let may_be_packed = config.compression.is_some();
        let header = SegmentHeader { journal: self.journal, segment, created_at: now, may_be_packed };
        self.folder.begin_spare(file.as_ref(), &header)?;
        self.folder.name_spare(&header)?;
        Ok(ActiveSegment::begun(&header, file, config.segment_size))
    }
}

/// Checks that all segments are ours and of one journal.
fn read_headers(folder: &SegmentFolder, segments: &[u64]) -> Result<Option<JournalId>, OpenError> {
    let mut first: Option<(JournalId, u64)> = None;
    for segment in segments {
        let path = folder.segment_path(*segment);
        let bytes = match insist(|| read_header(folder.open(*segment)?.as_ref())) {
            // Each frame proves by itself whose it is.
            Err(error) if is_for_damage(&error) => continue,
            read => read.map_err(|source| OpenError::Io { action: "read", path: path.clone(), source })?,
        };
        let header = SegmentHeader::decode(&bytes)
            .map_err(|source| OpenError::Segment { path: path.clone(), source })?;
        let (journal, other) = *first.get_or_insert((header.journal, *segment));
        if header.journal != journal || header.segment != *segment {
            return Err(OpenError::Mixed { path, other: folder.segment_path(other) });
        }
    }
    Ok(first.map(|(journal, _)| journal))
}

fn remember(dedup: &mut Dedup, footer: &Footer, segment: u64) {
    if is_planted(Bug::ForgottenIds) {
        return;
    }
    for noted in footer.noted() {
        match noted {
            Noted::Id(id) => {
                dedup.next_turn(&id.sender, None);
                dedup.insert(&id.sender, id.received_at, id.key, segment);
            }
            Noted::Acknowledged { sender, key } => dedup.next_turn(&sender, Some(key)),
        }
    }
}
