//! Cursors: how far an output has come, in a small file that is replaced as a whole.
//!
//! ```text
//! DATA_DIR/cursors/ID.cursor
//!
//!  0  8  magic "HKYKCURS"
//!  8  2  format version
//! 10  2  length of this header: 64
//! 12  4  index of the next entry within the chunk (0 for outputs that take whole chunks)
//! 16 16  journal id
//! 32  8  segment of the next chunk
//! 40  8  offset of the next chunk
//! 48  8  generation: counts checkpoints, so that an undo log can be told to belong to one
//! 56  4  length of what the output itself keeps here
//! 60  4  CRC-32 of bytes 0 to 60 and of what the output keeps
//! 64  …  what the output itself keeps here: attributes, see cursor_attributes.rs
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Position;
use super::cursor_attributes::{REPLAYS, SENDING, find_attribute, take_attribute, write_attribute};
use super::durable::{ReplaceError, create_folder, replace_file};
use super::format::{FORMAT_VERSION, JournalId, array_at};
use super::replay::Replays;
use crate::storage::{Storage, disk, is_for_want_of_space, read_file};

const MAGIC: [u8; 8] = *b"HKYKCURS";
const HEADER_LENGTH: usize = 64;
const EXTENSION: &str = "cursor";

/// Bytes set aside beside the cursors, given up when the disk is full: without a cursor nothing could be freed.
const RESERVE_LENGTH: usize = 1024 * 1024;
/// No output of a configuration can have a cursor of this name, or of the one under which it is written.
const RESERVE: &str = "@reserve";
/// As earlier versions called it, and the unfinished one of an output with the id `reserve`.
const RESERVE_BEFORE: &str = "reserve";

/// A cursor as it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedCursor {
    pub journal: JournalId,
    /// The next chunk to deliver, or the next entry of a large one.
    pub position: Position,
    /// How many checkpoints there were.
    pub generation: u64,
    /// What an operator had delivered again.
    pub replays: Replays,
}

/// A cursor file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    #[error("cannot {action} the cursor {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// Only recovery can tell which cursor is on disk.
    #[error("cannot tell whether the cursor {} was saved: {source}. Check the disk", path.display())]
    Uncertain { path: PathBuf, source: io::Error },
    #[error(
        "the cursor {} is damaged: its output can't tell what it delivered. Restore the file from a backup, or remove \
         it to let the output start anew (see its `start` key), which may deliver twice or leave a gap",
        path.display()
    )]
    Damaged { path: PathBuf },
    #[error("the request {} is damaged: ask again with hikyaku journal replay", path.display())]
    DamagedRequest { path: PathBuf },
    #[error(
        "the cursor {} has format {found}, and this hikyaku reads format {FORMAT_VERSION}: use a newer hikyaku",
        path.display()
    )]
    Version { path: PathBuf, found: u16 },
}

/// The folder of all cursors of a server.
#[derive(Debug, Clone)]
pub struct CursorFolder {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) path: PathBuf,
}

impl CursorFolder {
    /// The cursors below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// Those of a data folder on this storage.
    pub fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self { storage, path: data_dir.join("cursors") }
    }

    /// Makes the folder and the reserve where they are missing.
    pub fn prepare(&self) -> Result<(), CursorError> {
        create_folder(self.storage.as_ref(), &self.path).map_err(|source| CursorError::Io {
            action: "make the folder of",
            path: self.path.clone(),
            source,
        })?;
        let before = self.path.join(RESERVE_BEFORE);
        if matches!(self.storage.stat(&before), Ok(Some(_)))
            && let Err(error) = self.storage.rename(&before, &self.path.join(RESERVE))
        {
            tracing::debug!(%error, path = %before.display(), "cannot rename the reserve of an earlier version");
        }
        self.keep_reserve();
        Ok(())
    }

    /// The ids of all outputs that have a cursor, sorted.
    pub fn ids(&self) -> Result<Vec<String>, CursorError> {
        let error = |source| CursorError::Io { action: "list", path: self.path.clone(), source };
        let mut ids = Vec::new();
        for path in self.storage.list(&self.path).map_err(error)?.into_iter().map(|listed| listed.path) {
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The cursor of an output; `None` where it never had one.
    pub fn load(&self, id: &str) -> Result<Option<SavedCursor>, CursorError> {
        Ok(self.load_whole(id)?.map(|(cursor, _)| cursor))
    }

    /// The [attributes](super::cursor_attributes) that an output keeps in its cursor, but for its replays; none where it has
    /// no cursor.
    pub fn load_attributes(&self, id: &str) -> Result<Vec<u8>, CursorError> {
        Ok(self.load_whole(id)?.map(|(_, attributes)| attributes).unwrap_or_default())
    }

    fn load_whole(&self, id: &str) -> Result<Option<(SavedCursor, Vec<u8>)>, CursorError> {
        let path = self.path_of(id);
        match read_file(self.storage.as_ref(), &path) {
            Ok(Some(bytes)) => decode(&bytes).map(Some).map_err(|fault| match fault {
                Fault::Damaged => CursorError::Damaged { path },
                Fault::Version(found) => CursorError::Version { path, found },
            }),
            Ok(None) => Ok(None),
            Err(source) => Err(CursorError::Io { action: "read", path, source }),
        }
    }

    /// Replaces the cursor of an output, durably, without what the output keeps but for its replays. Where the disk is full, the reserve makes room.
    pub fn save(&self, id: &str, cursor: &SavedCursor) -> Result<(), CursorError> {
        self.save_with(id, cursor, &[])
    }

    /// As [`save`](Self::save), with what else the output itself keeps.
    pub fn save_with(&self, id: &str, cursor: &SavedCursor, attributes: &[u8]) -> Result<(), CursorError> {
        let path = self.path_of(id);
        let bytes = encode(cursor, attributes);
        let storage = self.storage.as_ref();
        let saved = match replace_file(storage, &path, &bytes) {
            Err(ReplaceError::Unchanged(error)) if is_for_want_of_space(&error) => {
                self.use_reserve();
                replace_file(storage, &path, &bytes)
            }
            saved => saved,
        };
        saved.map_err(|error| match error {
            ReplaceError::Unchanged(source) => CursorError::Io { action: "save", path, source },
            ReplaceError::Uncertain(source) => CursorError::Uncertain { path, source },
        })?;
        self.keep_reserve();
        Ok(())
    }

    /// As [`save`](Self::save), of an output that goes on elsewhere: of what it keeps only what does not belong to where it
    /// was.
    pub(super) fn save_elsewhere(&self, id: &str, cursor: &SavedCursor) -> Result<(), CursorError> {
        let mut kept = Vec::new();
        if let Some(value) = find_attribute(&self.load_attributes(id)?, SENDING) {
            write_attribute(&mut kept, SENDING, value);
        }
        self.save_with(id, cursor, &kept)
    }

    /// Makes the names of the cursors durable, as a crash may have left them: what is read here must still be there
    /// after the next power cut, before anything is undone or delivered by it.
    pub fn sync(&self) -> Result<(), CursorError> {
        self.storage.sync_folder(&self.path).map_err(|source| CursorError::Io {
            action: "sync the folder of",
            path: self.path.clone(),
            source,
        })
    }

    /// Removes the cursor of an output that is no more.
    pub fn remove(&self, id: &str) -> Result<(), CursorError> {
        let path = self.path_of(id);
        self.storage
            .remove(&path)
            .and_then(|()| super::durable::sync_folder_of(self.storage.as_ref(), &path))
            .map_err(|source| CursorError::Io { action: "remove", path, source })
    }

    /// Ids hold only letters, digits, `_` and `-`, which the config sees to.
    fn path_of(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.{EXTENSION}"))
    }

    /// Gives the reserve up, for what has to be written so that a full disk can be freed.
    pub(super) fn use_reserve(&self) {
        let path = self.path.join(RESERVE);
        match self.storage.remove(&path) {
            Ok(()) => {
                tracing::warn!(path = %path.display(), "the disk is full: using the reserve to go on delivering")
            }
            Err(error) => tracing::debug!(%error, path = %path.display(), "the reserve is used up"),
        }
    }

    /// Written again as soon as there is space. That there is none now is no error: the next save tries again.
    fn keep_reserve(&self) {
        let path = self.path.join(RESERVE);
        if matches!(self.storage.stat(&path), Ok(None))
            && let Err(error) = replace_file(self.storage.as_ref(), &path, &vec![0xff; RESERVE_LENGTH])
        {
            tracing::debug!(%error, path = %path.display(), "no space for the reserve yet");
        }
    }
}

pub(super) fn encode(cursor: &SavedCursor, attributes: &[u8]) -> Vec<u8> {
    let own = [&cursor.replays.attribute(), attributes].concat();
    let mut bytes = vec![0; HEADER_LENGTH];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
    bytes[12..16].copy_from_slice(&cursor.position.entry.to_le_bytes());
    bytes[16..32].copy_from_slice(&cursor.journal);
    bytes[32..40].copy_from_slice(&cursor.position.segment.to_le_bytes());
    bytes[40..48].copy_from_slice(&cursor.position.offset.to_le_bytes());
    bytes[48..56].copy_from_slice(&cursor.generation.to_le_bytes());
    bytes[56..60].copy_from_slice(&(own.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&own);
    let checksum = checksum(&bytes);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Of everything but the place of the checksum itself.
fn checksum(bytes: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[..60]);
    checksum.update(&bytes[HEADER_LENGTH..]);
    checksum.finalize()
}

/// Why bytes are no cursor.
pub(super) enum Fault {
    Damaged,
    Version(u16),
}

pub(super) fn decode(bytes: &[u8]) -> Result<(SavedCursor, Vec<u8>), Fault> {
    if array_at(bytes, 0) != Some(MAGIC) {
        return Err(Fault::Damaged);
    }
    let found = u16::from_le_bytes(array_at(bytes, 8).ok_or(Fault::Damaged)?);
    if found != FORMAT_VERSION {
        return Err(Fault::Version(found));
    }
    let own = bytes.get(HEADER_LENGTH..).ok_or(Fault::Damaged)?;
    let number = |offset| array_at(bytes, offset).map(u64::from_le_bytes).ok_or(Fault::Damaged);
    let own_length = u32::from_le_bytes(array_at(bytes, 56).ok_or(Fault::Damaged)?);
    let stored = u32::from_le_bytes(array_at(bytes, 60).ok_or(Fault::Damaged)?);
    if own.len() != own_length as usize || checksum(bytes) != stored {
        return Err(Fault::Damaged);
    }
    let mut attributes = own.to_vec();
    let replays = match take_attribute(&mut attributes, REPLAYS) {
        Some(replays) => Replays::decode(&replays).ok_or(Fault::Damaged)?,
        None => Replays::default(),
    };
    let cursor = SavedCursor {
        journal: array_at(bytes, 16).ok_or(Fault::Damaged)?,
        position: Position {
            segment: number(32)?,
            offset: number(40)?,
            entry: u32::from_le_bytes(array_at(bytes, 12).ok_or(Fault::Damaged)?),
        },
        generation: number(48)?,
        replays,
    };
    Ok((cursor, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> SavedCursor {
        let position = Position { segment: 4, offset: 4096, entry: 7 };
        SavedCursor { journal: [3; 16], position, generation: 9, replays: Replays::default() }
    }

    fn folder() -> (tempfile::TempDir, CursorFolder) {
        let directory = tempfile::tempdir().unwrap();
        let folder = CursorFolder::new(directory.path());
        folder.prepare().unwrap();
        (directory, folder)
    }

    #[test]
    fn a_cursor_reads_back() {
        let (_directory, folder) = folder();
        assert_eq!(folder.load("archive").unwrap(), None);
        folder.save("archive", &cursor()).unwrap();
        folder.save("other", &SavedCursor { generation: 10, ..cursor() }).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor()));
        assert_eq!(folder.ids().unwrap(), ["archive", "other"]);
        folder.remove("archive").unwrap();
        assert_eq!(folder.ids().unwrap(), ["other"]);
    }

    #[test]
    fn what_an_output_keeps_is_saved_with_its_cursor() {
        let (_directory, folder) = folder();
        let mut kept = Vec::new();
        write_attribute(&mut kept, 200, b"kept");
        assert_eq!(folder.load_attributes("archive").unwrap(), b"");
        folder.save_with("archive", &cursor(), &kept).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor()));
        assert_eq!(folder.load_attributes("archive").unwrap(), kept);
        folder.save("archive", &cursor()).unwrap();
        assert_eq!(folder.load_attributes("archive").unwrap(), b"");
    }

    #[test]
    fn a_cursor_keeps_its_replays() {
        let (_directory, folder) = folder();
        let current = Some(crate::journal::Replay {
            until: Position::new(2, 64),
            resume: Position { segment: 4, offset: 64, entry: 3 },
        });
        let cursor = SavedCursor { replays: Replays { count: 3, current }, ..cursor() };
        let mut kept = Vec::new();
        write_attribute(&mut kept, 200, b"kept");
        folder.save_with("archive", &cursor, &kept).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor));
        assert_eq!(folder.load_attributes("archive").unwrap(), kept);
        folder.save("archive", &cursor).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = encode(&cursor(), b"what the output keeps");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_damaged_cursor_is_an_error_and_not_a_new_start() {
        let (directory, folder) = folder();
        std::fs::write(directory.path().join("cursors/archive.cursor"), b"HKYKCURS").unwrap();
        assert!(matches!(folder.load("archive"), Err(CursorError::Damaged { .. })));
    }

    #[test]
    fn the_reserve_is_there_from_the_start() {
        let (directory, _folder) = folder();
        let reserve = directory.path().join("cursors/@reserve");
        assert_eq!(std::fs::metadata(reserve).unwrap().len(), RESERVE_LENGTH as u64);
    }

    #[test]
    fn the_reserve_and_an_output_of_that_name_do_not_write_to_the_same_file() {
        let (directory, folder) = folder();
        let names = |name: &str| directory.path().join("cursors").join(name);
        // A cursor on its way: nobody but its own output may touch it.
        std::fs::write(names("reserve.tmp"), b"half a cursor").unwrap();
        std::fs::remove_file(names("@reserve")).unwrap();
        folder.save("other", &cursor()).unwrap();
        assert!(names("@reserve").exists());
        assert_eq!(std::fs::read(names("reserve.tmp")).unwrap(), b"half a cursor");
        folder.save("reserve", &cursor()).unwrap();
        assert_eq!(folder.load("reserve").unwrap(), Some(cursor()));
    }

    #[test]
    fn the_reserve_of_an_earlier_version_is_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let folder = CursorFolder::new(directory.path());
        std::fs::create_dir(directory.path().join("cursors")).unwrap();
        std::fs::write(directory.path().join("cursors/reserve"), [0xff; RESERVE_LENGTH]).unwrap();
        folder.prepare().unwrap();
        assert!(!directory.path().join("cursors/reserve").exists());
        assert!(directory.path().join("cursors/@reserve").exists());
    }
}
