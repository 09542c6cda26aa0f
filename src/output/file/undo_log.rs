//! The undo log: what each file was before this output's first write to it since its last checkpoint.
//!
//! ```text
//! DATA_DIR/outputs/ID/undo-GENERATION
//!
//!  0  8  magic "HKYKUNDO"
//!  8  2  format version: 1
//! 10  2  length of this header: 24
//! 12  4  zero
//! 16  8  generation
//! 24  …  records, one after the other:
//!          0  4  length of the path
//!          4  1  kind: 1 existing, 2 absent (about to be created), 3 created
//!          5  3  zero
//!          8  8  device      (zero where the file is absent)
//!         16  8  inode       (likewise)
//!         24  8  length of the file
//!         32  …  path
//!          …  4  CRC-32 of all of it, from a seed made of generation and offset
//! ```
//!
//! A record is synced before the write that it is about, so what is torn or missing at the end of the log is about
//! writes that never happened.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Stat};

const MAGIC: [u8; 8] = *b"HKYKUNDO";
const FORMAT_VERSION: u16 = 1;
const HEADER_LENGTH: usize = 24;
const RECORD_LENGTH: usize = 32;

/// What a file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undo {
    /// It was there, like this.
    Existing { path: PathBuf, stat: Stat },
    /// It was not there, and was about to be made.
    Absent { path: PathBuf },
    /// It was made, and is this one.
    Created { path: PathBuf, stat: Stat },
}

impl Undo {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Existing { path, .. } | Self::Absent { path } | Self::Created { path, .. } => path,
        }
    }
}

/// The path of the log of one generation.
pub(super) fn undo_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("undo-{generation}"))
}

/// The log that is being written. Its file is made with the first record.
#[derive(Debug)]
pub(super) struct UndoLog {
    folder: PathBuf,
    generation: u64,
    file: Option<File>,
    /// Up to where everything is synced.
    end: u64,
}

impl UndoLog {
    pub(super) fn new(folder: &Path, generation: u64) -> Self {
        Self { folder: folder.to_owned(), generation, file: None, end: 0 }
    }

    pub(super) fn path(&self) -> PathBuf {
        undo_path(&self.folder, self.generation)
    }

    /// Whether it has a file.
    pub(super) fn is_in_use(&self) -> bool {
        self.file.is_some()
    }

    /// Adds records and syncs them. After an error the same records may be added again.
    pub(super) fn add(&mut self, disk: &dyn Disk, records: &[Undo]) -> io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let is_new = self.file.is_none();
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let path = self.path();
                for made in disk.create_folders(&self.folder)? {
                    disk.sync_folder(made.parent().unwrap_or(&made))?;
                }
                let file = match disk.create(&path)? {
                    Some(file) => file,
                    None => disk.open(&path)?.ok_or(io::ErrorKind::NotFound)?,
                };
                bytes.extend_from_slice(&header(self.generation));
                file
            }
        };
        let start = if is_new { 0 } else { self.end };
        for record in records {
            let offset = start + bytes.len() as u64;
            write_record(&mut bytes, record, self.generation, offset);
        }
        disk.write(&file, start, &bytes)?;
        disk.sync(&file)?;
        if is_new {
            disk.sync_folder(&self.folder)?;
        }
        self.end = start + bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }
}

fn header(generation: u64) -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    header[..8].copy_from_slice(&MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
    header[16..24].copy_from_slice(&generation.to_le_bytes());
    header
}

fn write_record(out: &mut Vec<u8>, record: &Undo, generation: u64, offset: u64) {
    let start = out.len();
    let (kind, stat) = match record {
        Undo::Existing { stat, .. } => (1, *stat),
        Undo::Absent { .. } => (2, Stat { device: 0, inode: 0, length: 0 }),
        Undo::Created { stat, .. } => (3, *stat),
    };
    let path = record.path().as_os_str().as_bytes();
    out.extend_from_slice(&(path.len() as u32).to_le_bytes());
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&stat.device.to_le_bytes());
    out.extend_from_slice(&stat.inode.to_le_bytes());
    out.extend_from_slice(&stat.length.to_le_bytes());
    out.extend_from_slice(path);
    let checksum = checksum(&out[start..], generation, offset);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// The log of a generation can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum UndoLogError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it has format {0}, and this hikyaku reads format {FORMAT_VERSION}: use a newer hikyaku")]
    Version(u16),
}

/// The records of a log, up to the first that is torn. Empty where there is no log.
pub(super) fn read_undo_log(path: &Path, generation: u64) -> Result<Vec<Undo>, UndoLogError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes?,
    };
    let Some(found) = bytes.get(8..10).filter(|_| bytes.starts_with(&MAGIC)) else { return Ok(Vec::new()) };
    let version = u16::from_le_bytes([found[0], found[1]]);
    if version != FORMAT_VERSION {
        return Err(UndoLogError::Version(version));
    }
    let mut records = Vec::new();
    let mut at = HEADER_LENGTH;
    while let Some((record, end)) = read_record(&bytes, at, generation) {
        records.push(record);
        at = end;
    }
    Ok(records)
}

fn read_record(bytes: &[u8], at: usize, generation: u64) -> Option<(Undo, usize)> {
    let fixed = bytes.get(at..)?.first_chunk::<RECORD_LENGTH>()?;
    let path_length = u32::from_le_bytes(*fixed.first_chunk()?) as usize;
    let path_end = at.checked_add(RECORD_LENGTH)?.checked_add(path_length)?;
    let stored = u32::from_le_bytes(*bytes.get(path_end..)?.first_chunk()?);
    if checksum(&bytes[at..path_end], generation, at as u64) != stored {
        return None;
    }
    let number = |from: usize| fixed[from..].first_chunk().copied().map(u64::from_le_bytes);
    let stat = Stat { device: number(8)?, inode: number(16)?, length: number(24)? };
    let path = PathBuf::from(OsStr::from_bytes(&bytes[at + RECORD_LENGTH..path_end]));
    let record = match fixed[4] {
        1 => Undo::Existing { path, stat },
        2 => Undo::Absent { path },
        3 => Undo::Created { path, stat },
        _ => return None,
    };
    Some((record, path_end + 4))
}

fn checksum(bytes: &[u8], generation: u64, offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;

    fn records() -> Vec<Undo> {
        let stat = Stat { device: 1, inode: 2, length: 3 };
        vec![
            Undo::Existing { path: "/var/log/a.log.gz".into(), stat },
            Undo::Absent { path: "relative/飛脚.log".into() },
            Undo::Created { path: "relative/飛脚.log".into(), stat: Stat { length: 0, ..stat } },
        ]
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let mut log = UndoLog::new(directory.path(), 7);
        log.add(&RealDisk, &records()[..1]).unwrap();
        log.add(&RealDisk, &records()[1..]).unwrap();
        (directory, log.path())
    }

    #[test]
    fn records_read_back() {
        let (_directory, path) = written();
        assert_eq!(read_undo_log(&path, 7).unwrap(), records());
    }

    #[test]
    fn a_log_cut_anywhere_reads_up_to_the_last_whole_record() {
        let (_directory, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let mut most = 0;
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let read = read_undo_log(&path, 7).unwrap();
            assert_eq!(read, records()[..read.len()]);
            assert!(read.len() >= most);
            most = read.len();
        }
        assert_eq!(most, 3);
    }

    /// A log that format 1 wrote, kept so that every later version must read it.
    #[test]
    fn a_log_of_format_1_reads() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/undo/format-1/undo-7"));
        assert_eq!(read_undo_log(path, 7).unwrap(), records());
    }

    /// Writes the fixture of the present format anew; run by hand after a change of the format's version.
    #[test]
    #[ignore = "writes tests/fixtures"]
    fn write_the_fixture() {
        let (_directory, path) = written();
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/undo/format-1"));
        std::fs::create_dir_all(folder).unwrap();
        std::fs::copy(path, folder.join("undo-7")).unwrap();
    }

    #[test]
    fn records_of_another_generation_do_not_pass() {
        let (_directory, path) = written();
        assert_eq!(read_undo_log(&path, 8).unwrap(), []);
    }

    #[test]
    fn a_newer_format_is_an_error_and_not_an_empty_log() {
        let (_directory, path) = written();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 2;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read_undo_log(&path, 7), Err(UndoLogError::Version(2))));
    }
}
