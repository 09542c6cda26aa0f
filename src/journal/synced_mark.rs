//! How far the journal is known to have been synced, beside its segments.
//!
//! A segment can't say that the one behind it is missing, nor its last frame that it was synced. This small file does: it
//! is written when a segment is begun, before anything in that segment is acknowledged, and when the journal is closed. It
//! is never behind what it says, and often far before what is synced: a lower bound, which stays true for ever.
//!
//! ```text
//! DATA_DIR/journal/synced    two places of 4096 bytes, written in turn, of which the higher number counts
//!
//!  0  8  magic "HKYKSYNC"
//!  8  2  format version: 1
//! 10  6  zero
//! 16 16  journal id
//! 32  8  segment
//! 40  8  offset: everything before it, in this segment and those before, was synced
//! 48  8  number of this mark: one more than that of the one before, in the other place
//! 56  4  zero
//! 60  4  CRC-32 of bytes 0 to 60
//! ```
//!
//! A mark that is half written leaves the one before. The space is allocated once, so that a full disk does not matter.
//! A copy of a server that ran (`home.rs`) may have a mark from later than its segments: there it says nothing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::Position;
use super::format::{FORMAT_VERSION, JournalId, array_at};
use super::segment_file::{SYNCED_MARK, SegmentFolder};
use crate::storage::{Open, Storage, StorageFile, is_for_damage, read_file, write_all_at};

const MAGIC: [u8; 8] = *b"HKYKSYNC";
const LENGTH: usize = 64;
const PLACE_LENGTH: u64 = 4096;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) journal: JournalId,
    pub(super) synced: Position,
    number: u64,
}

/// The file, to be written on.
#[derive(Debug)]
pub(super) struct SyncedMark {
    storage: Arc<dyn Storage>,
    folder: SegmentFolder,
    /// The last mark that is durable.
    last: Option<Mark>,
    /// `None` until it is there with all its space.
    file: Option<Box<dyn StorageFile>>,
    /// Whether it does not read and is to be made anew.
    is_broken: bool,
}

impl Mark {
    /// What the file in a journal's folder says; `None` where there is none, or it is damaged.
    pub(super) fn read(folder: &SegmentFolder) -> io::Result<Option<Self>> {
        let bytes = read_file(folder.storage().as_ref(), &path(folder))?.unwrap_or_default();
        let mut newest: Option<Self> = None;
        for place in [0, PLACE_LENGTH as usize] {
            let mark = bytes.get(place..).map(decode).transpose()?.flatten();
            newest = newest.into_iter().chain(mark).max_by_key(|mark| mark.number);
        }
        Ok(newest)
    }
}

impl SyncedMark {
    /// As the process before left it. A disk that can't read it takes away what it said, and no more.
    pub(super) fn open(folder: &SegmentFolder) -> io::Result<Self> {
        let (last, is_broken) = match Mark::read(folder) {
            Err(error) if is_for_damage(&error) => {
                tracing::error!(
                    path = %path(folder).display(), %error,
                    "how far the journal was synced does not read, and is noted anew: what is missing at its end may go \
                     unnoticed this once. Check the disk"
                );
                (None, true)
            }
            read => (read?, false),
        };
        Ok(Self {
            storage: Arc::clone(folder.storage()),
            folder: folder.clone(),
            last,
            file: None,
            is_broken,
        })
    }

    /// What it says; nothing before the first mark, and nothing where the file was damaged.
    pub(super) fn last(&self) -> Option<&Mark> {
        self.last.as_ref()
    }

    /// Makes the file with its space where it is not there.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let path = path(&self.folder);
        let opened = match self.is_broken {
            true => Err(io::ErrorKind::NotFound.into()),
            false => self.storage.open(&path, Open::Writing),
        };
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = self.storage.open(&path, Open::Emptied)?;
                file.allocate(0, 2 * PLACE_LENGTH)?;
                self.folder.sync()?;
                file
            }
            opened => {
                let file = opened?;
                file.allocate(0, 2 * PLACE_LENGTH)?;
                file
            }
        };
        self.file = Some(file);
        Ok(())
    }

    /// Notes durably that everything before a position is synced, unless that is known. May be called again after an error.
    pub(super) fn note(&mut self, journal: JournalId, synced: Position) -> io::Result<()> {
        if self.last.is_some_and(|last| last.journal == journal && last.synced >= synced) {
            return Ok(());
        }
        self.prepare()?;
        let number = self.last.map_or(1, |last| last.number + 1);
        let mark = Mark { journal, synced, number };
        if let Some(file) = &self.file {
            write_all_at(file.as_ref(), &encode(&mark), number % 2 * PLACE_LENGTH)?;
            file.sync()?;
            self.last = Some(mark);
        }
        Ok(())
    }

    /// Notes where the journal of a copy ends, which may be before what is noted there.
    pub(super) fn begin_anew(&mut self, journal: JournalId, synced: Position) -> io::Result<()> {
        self.last = self.last.map(|last| Mark { synced: Position::new(0, 0), ..last });
        self.note(journal, synced)
    }

    /// Whether it knows of a segment.
    pub(super) fn knows(&self, journal: &JournalId, segment: u64) -> bool {
        self.last.is_some_and(|last| last.journal == *journal && last.synced.segment >= segment)
    }
}

fn path(folder: &SegmentFolder) -> PathBuf {
    folder.path().join(SYNCED_MARK)
}

fn encode(mark: &Mark) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[16..32].copy_from_slice(&mark.journal);
    bytes[32..40].copy_from_slice(&mark.synced.segment.to_le_bytes());
    bytes[40..48].copy_from_slice(&mark.synced.offset.to_le_bytes());
    bytes[48..56].copy_from_slice(&mark.number.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// `None` where no whole mark is.
fn decode(bytes: &[u8]) -> io::Result<Option<Mark>> {
    let Some(bytes) = array_at::<LENGTH>(bytes, 0) else { return Ok(None) };
    if bytes[..8] != MAGIC
        || array_at(&bytes, 60).map(u32::from_le_bytes) != Some(crc32fast::hash(&bytes[..60]))
    {
        return Ok(None);
    }
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    if version > FORMAT_VERSION {
        let message = format!(
            "the mark has format {version}, and this one reads format {FORMAT_VERSION}: use a newer hikyaku"
        );
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    let number = |at| array_at(&bytes, at).map(u64::from_le_bytes);
    let (Some(journal), Some(segment), Some(offset), Some(number)) =
        (array_at(&bytes, 16), number(32), number(40), number(48))
    else {
        return Ok(None);
    };
    Ok(Some(Mark { journal, synced: Position::new(segment, offset), number }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::simulated::{Loss, Simulated};

    const JOURNAL: JournalId = [7; 16];

    fn folder(disk: &Simulated) -> SegmentFolder {
        super::super::durable::create_folder(disk, std::path::Path::new("/journal")).unwrap();
        SegmentFolder::new(Arc::new(disk.clone()), "/journal")
    }

    #[test]
    fn what_was_noted_last_is_what_is_read() {
        let disk = Simulated::new(0);
        let folder = folder(&disk);
        assert_eq!(Mark::read(&folder).unwrap(), None);
        let mut mark = SyncedMark::open(&folder).unwrap();
        for segment in 1..6 {
            let synced = Position::new(segment, 64);
            mark.note(JOURNAL, synced).unwrap();
            assert_eq!(Mark::read(&folder).unwrap().unwrap().synced, synced);
            // Nor does a process that comes later go back.
            mark = SyncedMark::open(&folder).unwrap();
            mark.note(JOURNAL, Position::new(segment - 1, 900)).unwrap();
            assert_eq!(Mark::read(&folder).unwrap().unwrap().synced, synced);
        }
        assert!(mark.knows(&JOURNAL, 5) && !mark.knows(&JOURNAL, 6) && !mark.knows(&[8; 16], 5));
    }

    #[test]
    fn after_a_kill_in_any_call_and_a_power_failure_it_says_what_was_noted_last_or_was_being_noted() {
        let life = |disk: &Simulated| {
            let folder = SegmentFolder::new(Arc::new(disk.clone()), "/journal");
            let mut mark = SyncedMark::open(&folder).ok();
            let noted = |segment: &u64| {
                mark.as_mut().is_some_and(|mark| mark.note(JOURNAL, Position::new(*segment, 64)).is_ok())
            };
            (1..6).take_while(noted).last().unwrap_or(0)
        };
        let calm = Simulated::new(0);
        folder(&calm);
        let before = calm.calls();
        assert_eq!(life(&calm), 5);
        for call in before + 1..=calm.calls() {
            for loss in [None, Some(Loss::Everything)] {
                let disk = Simulated::new(call);
                folder(&disk);
                disk.die_after(Some(call));
                let noted = life(&disk);
                disk.restart(loss);
                let read = Mark::read(&folder(&disk)).unwrap().map_or(0, |mark| mark.synced.segment);
                assert!(read == noted || read == noted + 1, "{read} in place of {noted}, call {call}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_leaves_nothing_or_the_mark_before() {
        let disk = Simulated::new(0);
        let folder = folder(&disk);
        let mut mark = SyncedMark::open(&folder).unwrap();
        mark.note(JOURNAL, Position::new(1, 64)).unwrap();
        let bytes = encode(mark.last().unwrap());
        for bit in 0..LENGTH * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged).unwrap(), None, "bit {bit}");
        }
        mark.note(JOURNAL, Position::new(2, 64)).unwrap();
        let file = disk.open(&path(&folder), Open::Writing).unwrap();
        file.write_at(&[0; 10], 0).unwrap();
        assert_eq!(Mark::read(&folder).unwrap().unwrap().synced.segment, 1);
    }
}
