//! Where a data folder is at home: whether it is the one that a server wrote, or a copy that somebody restored.
//!
//! An undo log tells how long archive files were at the last checkpoint. In a copy it tells of another time: the files
//! may have gone on since, and cutting them would take away what was delivered and can't be delivered again. A file that
//! names itself, by what no copy shares, tells the one from the other.
//!
//! ```text
//! DATA_DIR/home
//!
//!  0  8  magic "HKYKHOME"
//!  8  2  format version: 1
//! 10  2  zero
//! 12  8  device of this file
//! 20  8  inode; zero where an operator said that the folder was rolled back
//! 28  8  birth: nanoseconds since the Unix epoch, zero where the file system does not keep it
//! 36  4  CRC-32 of bytes 0 to 36
//! ```

use std::io;
use std::path::{Path, PathBuf};

use super::durable::sync_folder_of;
use super::format::{FORMAT_VERSION, array_at};
use crate::storage::{Identity, Open, Storage, read_file, write_all_at};

const MAGIC: [u8; 8] = *b"HKYKHOME";
const LENGTH: usize = 40;

/// No file has it.
const ROLLED_BACK: Identity = Identity { device: 0, inode: 0, birth: 0 };

/// What a data folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// New, or begun by a hikyaku that did not note it, or by one that died while it did.
    Unknown,
    /// As its server left it.
    Own,
    /// A copy, or rolled back.
    Restored,
}

impl Home {
    /// What this data folder is.
    pub(crate) fn of(storage: &dyn Storage, data_dir: &Path) -> io::Result<Self> {
        let path = path(data_dir);
        let Some(noted) = read_file(storage, &path)?.and_then(|bytes| decode(&bytes)) else {
            return Ok(Self::Unknown);
        };
        let found = storage.stat(&path)?;
        Ok(match found.is_some_and(|found| found.identity.is_same_file(&noted)) {
            true => Self::Own,
            false => Self::Restored,
        })
    }

    /// Makes the folder the own one of its server, durably.
    pub(crate) fn settle(storage: &dyn Storage, data_dir: &Path) -> io::Result<()> {
        note(storage, data_dir, None)
    }

    /// Notes that the folder was rolled back, which the next start has to know.
    pub(crate) fn roll_back(storage: &dyn Storage, data_dir: &Path) -> io::Result<()> {
        note(storage, data_dir, Some(ROLLED_BACK))
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("home")
}

fn note(storage: &dyn Storage, data_dir: &Path, identity: Option<Identity>) -> io::Result<()> {
    let path = path(data_dir);
    let file = storage.open(&path, Open::Emptied)?;
    let identity = identity.map_or_else(|| file.stat().map(|stat| stat.identity), Ok)?;
    write_all_at(file.as_ref(), &encode(&identity), 0)?;
    file.sync()?;
    sync_folder_of(storage, &path)
}

fn encode(identity: &Identity) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    for number in [identity.device, identity.inode, identity.birth] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Identity> {
    let number = |at| array_at(bytes, at).map(u64::from_le_bytes);
    let is_whole = bytes.len() == LENGTH
        && array_at(bytes, 0) == Some(MAGIC)
        && array_at(bytes, 8).map(u16::from_le_bytes) == Some(FORMAT_VERSION)
        && array_at(bytes, LENGTH - 4).map(u32::from_le_bytes) == Some(crc32fast::hash(&bytes[..LENGTH - 4]));
    if !is_whole {
        return None;
    }
    Some(Identity { device: number(12)?, inode: number(20)?, birth: number(28)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Disk;

    #[test]
    fn a_folder_is_its_own_until_it_is_copied_or_said_to_be_rolled_back() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(Home::of(&Disk, one.path()).unwrap(), Home::Unknown);
        Home::settle(&Disk, one.path()).unwrap();
        assert_eq!(Home::of(&Disk, one.path()).unwrap(), Home::Own);
        std::fs::copy(path(one.path()), path(other.path())).unwrap();
        assert_eq!(Home::of(&Disk, other.path()).unwrap(), Home::Restored);
        Home::settle(&Disk, other.path()).unwrap();
        assert_eq!(Home::of(&Disk, other.path()).unwrap(), Home::Own);
        Home::roll_back(&Disk, other.path()).unwrap();
        assert_eq!(Home::of(&Disk, other.path()).unwrap(), Home::Restored);
    }

    #[test]
    fn what_is_half_written_says_nothing() {
        let bytes = encode(&Identity { device: 1, inode: 2, birth: 3 });
        assert_eq!(bytes.len(), LENGTH);
        for length in 0..LENGTH {
            assert_eq!(decode(&bytes[..length]), None);
        }
        for bit in 0..LENGTH * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&damaged), None, "bit {bit}");
        }
    }
}
