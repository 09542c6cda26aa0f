//! Segment files and their folder: the only place of the journal that makes, names and removes them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::large::LargePlace;
use crate::planted::{Bug, is_planted};
use crate::storage::{Open, Storage, StorageFile, read_full_at, write_all_at};

/// A segment: header, frames and, once it is sealed, its footer.
const SEGMENT_EXTENSION: &str = "seg";

/// What is left of a removed segment: its header and footer, for the chunk ids.
const IDS_EXTENSION: &str = "ids";

/// The entries of a large chunk.
const LARGE_EXTENSION: &str = "large";

/// The allocated file that becomes the next segment.
const SPARE: &str = "spare.tmp";

/// The journal's folder.
#[derive(Debug, Clone)]
pub(super) struct SegmentFolder {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

/// What lies in the folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Numbers of segments, ascending.
    pub(super) segments: Vec<u64>,
    /// Numbers of segments whose ids were left behind, ascending.
    pub(super) ids: Vec<u64>,
    /// Files of large chunks, ascending, and their lengths.
    pub(super) large: Vec<(LargePlace, u64)>,
    /// Everything else.
    pub(super) foreign: Vec<PathBuf>,
}

impl SegmentFolder {
    pub(super) fn new(storage: Arc<dyn Storage>, path: impl Into<PathBuf>) -> Self {
        Self { storage, path: path.into() }
    }

    pub(super) fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn segment_path(&self, segment: u64) -> PathBuf {
        self.path.join(format!("{segment:016}.{SEGMENT_EXTENSION}"))
    }

    pub(super) fn ids_path(&self, segment: u64) -> PathBuf {
        self.path.join(format!("{segment:016}.{IDS_EXTENSION}"))
    }

    pub(super) fn large_path(&self, place: LargePlace) -> PathBuf {
        self.path.join(format!("{place}.{LARGE_EXTENSION}"))
    }

    pub(super) fn list(&self) -> io::Result<Listing> {
        let mut listing = Listing::default();
        for listed in self.storage.list(&self.path)? {
            let path = listed.path;
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|extension| extension == LARGE_EXTENSION)
                && let Some(place) = stem.and_then(LargePlace::parse)
            {
                listing.large.push((place, listed.length));
                continue;
            }
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            match (number, path.extension().and_then(|extension| extension.to_str())) {
                (Some(number), Some(SEGMENT_EXTENSION)) => listing.segments.push(number),
                (Some(number), Some(IDS_EXTENSION)) => listing.ids.push(number),
                (_, Some("tmp")) => {}
                _ => listing.foreign.push(path),
            }
        }
        listing.segments.sort_unstable();
        listing.ids.sort_unstable();
        listing.large.sort_unstable();
        listing.foreign.sort_unstable();
        Ok(listing)
    }

    /// Opens a segment for reading.
    pub(super) fn open(&self, segment: u64) -> io::Result<Box<dyn StorageFile>> {
        self.storage.open(&self.segment_path(segment), Open::Reading)
    }

    /// Opens a segment for writing on.
    pub(super) fn open_for_writing(&self, segment: u64) -> io::Result<Box<dyn StorageFile>> {
        self.storage.open(&self.segment_path(segment), Open::Writing)
    }

    /// Allocates the next segment, so that writing into it later can't run out of space.
    pub(super) fn allocate_spare(&self, size: u64) -> io::Result<Box<dyn StorageFile>> {
        let path = self.path.join(SPARE);
        let file = self.storage.open(&path, Open::Emptied)?;
        file.allocate(0, size).and_then(|()| file.sync()).inspect_err(|_| {
            // Half a spare would hold space that a cursor may need; the error itself is what counts.
            let _ = self.storage.remove(&path);
        })?;
        Ok(file)
    }

    /// Writes and syncs the header of a spare. May be repeated.
    pub(super) fn begin_spare(&self, spare: &dyn StorageFile, header: &SegmentHeader) -> io::Result<()> {
        write_all_at(spare, &header.encode(), 0)?;
        spare.sync()
    }

    /// Turns a spare that has its header into a segment. May be repeated.
    pub(super) fn name_spare(&self, header: &SegmentHeader) -> io::Result<()> {
        let (spare, segment) = (self.path.join(SPARE), self.segment_path(header.segment));
        match self.storage.rename(&spare, &segment) {
            // The last time it was only the sync that had no space.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && self.storage.stat(&segment)?.is_some() => {}
            renamed => renamed?,
        }
        if is_planted(Bug::UnsyncedFolder) {
            return Ok(());
        }
        self.sync()
    }

    /// Removes what was allocated and never used, or half written.
    pub(super) fn remove_temporary_files(&self) -> io::Result<()> {
        for path in self.storage.list(&self.path)?.into_iter().map(|listed| listed.path) {
            if path.extension().is_some_and(|extension| extension == "tmp") {
                self.storage.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes a segment, or what it left behind.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.storage.remove(path)?;
        self.sync()
    }

    /// Puts a whole small file in place, durably.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Ok(super::durable::replace_file(self.storage.as_ref(), path, bytes)?)
    }

    /// Makes names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.storage.sync_folder(&self.path)
    }
}

/// Allocates space behind what a file holds; zeros until it is written.
pub(super) fn allocate(file: &dyn StorageFile, from: u64, to: u64) -> io::Result<()> {
    match to.checked_sub(from) {
        Some(length) if length > 0 => file.allocate(from, length),
        _ => Ok(()),
    }
}

/// Reads a segment's header.
pub(super) fn read_header(file: &dyn StorageFile) -> io::Result<[u8; SEGMENT_HEADER_LENGTH as usize]> {
    let mut header = [0; SEGMENT_HEADER_LENGTH as usize];
    // A file that ends early is told by its content: zeros are no header.
    read_full_at(file, &mut header, 0)?;
    Ok(header)
}
