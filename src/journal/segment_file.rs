//! Segment files and their folder: the only place of the journal that makes, names and removes them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::large::LargePlace;

/// Segments, readable by the operators' group, since they hold what customers' logs hold.
const FILE_MODE: u32 = 0o640;

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
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
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
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|extension| extension == LARGE_EXTENSION)
                && let Some(place) = stem.and_then(LargePlace::parse)
            {
                match entry.metadata() {
                    Ok(metadata) => listing.large.push((place, metadata.len())),
                    // Removed since, by the server that is looked at.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
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
    pub(super) fn open(&self, segment: u64) -> io::Result<File> {
        File::open(self.segment_path(segment))
    }

    /// Opens a segment for writing on.
    pub(super) fn open_for_writing(&self, segment: u64) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.segment_path(segment))
    }

    /// Allocates the next segment, so that writing into it later can't run out of space.
    pub(super) fn allocate_spare(&self, size: u64) -> io::Result<File> {
        let path = self.path.join(SPARE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)?;
        allocate(&file, 0, size).and_then(|()| file.sync_all()).inspect_err(|_| {
            // Half a spare would hold space that a cursor may need; the error itself is what counts.
            let _ = std::fs::remove_file(&path);
        })?;
        Ok(file)
    }

    /// Turns the spare into a segment: header written and synced, then the name.
    pub(super) fn name_spare(&self, spare: &File, header: &SegmentHeader) -> io::Result<()> {
        spare.write_all_at(&header.encode(), 0)?;
        spare.sync_all()?;
        std::fs::rename(self.path.join(SPARE), self.segment_path(header.segment))?;
        self.sync()
    }

    /// Removes what was allocated and never used, or half written.
    pub(super) fn remove_temporary_files(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "tmp") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes a segment, or what it left behind.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)?;
        self.sync()
    }

    /// Puts a whole small file in place, durably.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        Ok(super::durable::replace_file(path, bytes)?)
    }

    /// Makes names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Allocates space behind what a file holds; zeros until it is written.
pub(super) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    match to.checked_sub(from) {
        Some(length) if length > 0 => Ok(fallocate(file, FallocateFlags::empty(), from, length)?),
        _ => Ok(()),
    }
}

/// Reads a segment's header.
pub(super) fn read_header(file: &File) -> io::Result<[u8; SEGMENT_HEADER_LENGTH as usize]> {
    let mut header = [0; SEGMENT_HEADER_LENGTH as usize];
    match file.read_exact_at(&mut header, 0) {
        // A file that ends early is told by its content: zeros are no header.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(header),
    }
}
