//! Reading an undo log back.

use std::io;
use std::path::Path;

use super::Undo;
use super::record::{FORMAT_VERSION, HEADER_LENGTH, HeaderFault, LogName};
use crate::storage::{Storage, read_file};

/// An undo log can't be read, so nobody knows what to undo.
#[derive(Debug, thiserror::Error)]
pub enum ReadUndoLogError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(
        "it has format {0}, and this hikyaku reads format {FORMAT_VERSION}: start once with the one that wrote it"
    )]
    Version(u16),
    #[error("it names generation {0}, which is not the one of its file name: somebody renamed it")]
    Renamed(u64),
}

/// The records of one log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredUndoLog {
    pub(crate) life: u32,
    /// In the order in which they were written.
    pub(crate) records: Vec<Undo>,
}

/// Every whole record of a log; none where its header was never finished.
pub(crate) fn read_undo_log(
    storage: &dyn Storage,
    path: &Path,
    generation: u64,
) -> Result<StoredUndoLog, ReadUndoLogError> {
    let bytes = read_file(storage, path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let name = match LogName::parse(&bytes) {
        Ok(name) if name.generation != generation => return Err(ReadUndoLogError::Renamed(name.generation)),
        Ok(name) => name,
        Err(HeaderFault::Version(version)) => return Err(ReadUndoLogError::Version(version)),
        Err(HeaderFault::Torn) => return Ok(StoredUndoLog::default()),
    };
    let mut records = Vec::new();
    let mut offset = HEADER_LENGTH;
    while offset < bytes.len() {
        match name.decode(&bytes, offset) {
            Some((record, end)) => {
                records.push(record);
                offset = end;
            }
            // Torn, or damaged: the checksum knows its offset, so the next whole record can be found byte by byte.
            None => offset += 1,
        }
    }
    Ok(StoredUndoLog { life: name.life, records })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{UndoLog, generation_of, undo_path};
    use super::*;
    use crate::storage::Disk;
    use crate::storage::Identity;

    fn records() -> Vec<Undo> {
        let identity = Identity { device: 1, inode: 2, birth: 3 };
        vec![
            Undo::Existing { path: "/var/log/a.log.gz".into(), identity, length: 5 },
            Undo::Absent { path: "relative/飛脚.log".into() },
            Undo::Created { path: "relative/飛脚.log".into(), identity },
        ]
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let mut log = UndoLog::new(folder.path(), 7);
        assert!(!log.is_begun());
        log.add(&Disk, &records()[..1]).unwrap();
        log.add(&Disk, &records()[1..]).unwrap();
        let path = log.path().to_owned();
        assert_eq!(path, undo_path(folder.path(), 7));
        assert_eq!(generation_of(&path), Some(7));
        (folder, path)
    }

    #[test]
    fn records_read_back() {
        let (_folder, path) = written();
        assert_eq!(read_undo_log(&Disk, &path, 7).unwrap().records, records());
    }

    #[test]
    fn a_log_cut_anywhere_reads_up_to_the_last_whole_record() {
        let (_folder, path) = written();
        let whole = std::fs::read(&path).unwrap();
        let mut most = 0;
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let read = read_undo_log(&Disk, &path, 7).unwrap().records;
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
        assert_eq!(read_undo_log(&Disk, path, 7).unwrap().records, records());
    }

    /// Writes the fixture of the present format anew; run by hand after a change of the format's version.
    #[test]
    #[ignore = "writes tests/fixtures"]
    fn write_the_fixture() {
        let (_folder, path) = written();
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/undo/format-1"));
        std::fs::create_dir_all(folder).unwrap();
        std::fs::copy(path, folder.join("undo-7")).unwrap();
    }

    #[test]
    fn a_damaged_record_does_not_hide_those_behind_it() {
        let (_folder, path) = written();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER_LENGTH + 20] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read_undo_log(&Disk, &path, 7).unwrap().records, records()[1..]);
    }

    #[test]
    fn a_log_that_is_not_what_its_name_says_is_an_error_and_not_empty() {
        let (_folder, path) = written();
        assert!(matches!(read_undo_log(&Disk, &path, 8), Err(ReadUndoLogError::Renamed(7))));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 3;
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read_undo_log(&Disk, &path, 7), Err(ReadUndoLogError::Version(3))));
    }

    #[test]
    fn a_log_that_is_there_already_is_not_written_over() {
        let (folder, path) = written();
        let before = std::fs::read(&path).unwrap();
        UndoLog::new(folder.path(), 7).add(&Disk, &records()).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
