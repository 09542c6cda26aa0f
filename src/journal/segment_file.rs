//! Segment files and their folder: the only place of the journal that makes, names and removes them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::large::LargePlace;
use crate::planted::{Bug, is_planted};
use crate::storage::{Listed, Open, Storage, StorageFile, read_full_at, write_all_at};

/// A segment: header, frames and, once it is sealed, its footer.
const SEGMENT_EXTENSION: &str = "seg";

/// What is left of a removed segment: its header and footer, for the chunk ids.
const IDS_EXTENSION: &str = "ids";

/// The entries of a large chunk.
const LARGE_EXTENSION: &str = "large";

/// The allocated file that becomes the next segment.
const SPARE: &str = "spare.tmp";

/// How far the journal is known to have been synced.
pub(super) const SYNCED_MARK: &str = "synced";

/// Where damaged bytes are put.
const DAMAGED: &str = "damaged";

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
    /// Numbers of segments whose ids were left behind, ascending, and lengths of the files.
    pub(super) ids: Vec<(u64, u64)>,
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
            match Kind::of(&listed) {
                Kind::Segment(number) => listing.segments.push(number),
                Kind::Ids(number) => listing.ids.push((number, listed.length)),
                Kind::Large(place) => listing.large.push((place, listed.length)),
                Kind::Temporary | Kind::Other => {}
                Kind::Foreign => listing.foreign.push(listed.path),
            }
        }
        listing.segments.sort_unstable();
        listing.ids.sort_unstable();
        listing.large.sort_unstable();
        listing.foreign.sort_unstable();
        Ok(listing)
    }

    /// Opens a segment for reading. What is read of it by the way, as its header, must not have the system read on: that
    /// leaves marks behind, at which it goes on for whoever comes there.
    pub(super) fn open(&self, segment: u64) -> io::Result<Box<dyn StorageFile>> {
        let file = self.storage.open(&self.segment_path(segment), Open::Reading)?;
        file.read_no_further();
        Ok(file)
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
        for listed in self.storage.list(&self.path)? {
            if matches!(Kind::of(&listed), Kind::Temporary) {
                self.storage.remove(&listed.path)?;
            }
        }
        Ok(())
    }

    /// Removes a segment, or what it left behind.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.storage.remove(path)?;
        self.sync()
    }

    /// Removes what may be gone already.
    pub(super) fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        match self.remove(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.sync(),
            removed => removed,
        }
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

/// What something in the folder is by its name. Only the one spelling counts that we write: under any other, it is somebody
/// else's.
#[derive(Debug)]
enum Kind {
    Segment(u64),
    Ids(u64),
    Large(LargePlace),
    /// What was allocated and never used, or half written.
    Temporary,
    /// Ours, and not looked at here.
    Other,
    Foreign,
}

impl Kind {
    fn of(listed: &Listed) -> Self {
        let Some(name) = listed.path.file_name().and_then(|name| name.to_str()) else { return Self::Foreign };
        if listed.is_folder {
            return if name == DAMAGED { Self::Other } else { Self::Foreign };
        }
        match name {
            SPARE => return Self::Temporary,
            SYNCED_MARK => return Self::Other,
            _ => {}
        }
        let Some((stem, extension)) = name.rsplit_once('.') else { return Self::Foreign };
        let number = stem.parse().ok().filter(|number: &u64| format!("{number:016}") == stem);
        match (extension, number) {
            (SEGMENT_EXTENSION, Some(number)) => Self::Segment(number),
            (IDS_EXTENSION, Some(number)) => Self::Ids(number),
            // Ids on their way (`durable.rs`).
            ("tmp", Some(_)) => Self::Temporary,
            (LARGE_EXTENSION, _) => LargePlace::parse(stem).map_or(Self::Foreign, Self::Large),
            _ => Self::Foreign,
        }
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
