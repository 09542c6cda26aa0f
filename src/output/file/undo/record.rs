//! Header and records as bytes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::storage::Identity;

const MAGIC: [u8; 8] = *b"HKYKUNDO";
pub(super) const FORMAT_VERSION: u16 = 1;
pub(super) const HEADER_LENGTH: usize = 32;
/// What a record has before its path.
const FIXED_LENGTH: usize = 40;
const CHECKSUM_LENGTH: usize = 4;

/// Linux opens no longer ones (`PATH_MAX`), so a greater length is damage.
const MAX_PATH_LENGTH: usize = 4096;

/// What a file was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undo {
    /// It was there.
    Existing { path: PathBuf, identity: Identity, length: u64 },
    /// It was not there, and was about to be made.
    Absent { path: PathBuf },
    /// It was made, and is this one.
    Created { path: PathBuf, identity: Identity },
}

impl Undo {
    /// Where the file lies.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Existing { path, .. } | Self::Absent { path } | Self::Created { path, .. } => path,
        }
    }
}

/// Which log a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogName {
    pub(crate) generation: u64,
    pub(crate) life: u32,
}

/// Why bytes are not the header of an undo log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// It was never finished, so no record was ever synced behind it, or it is damaged.
    Torn,
    Version(u16),
}

impl LogName {
    pub(super) fn header(self) -> [u8; HEADER_LENGTH] {
        let mut header = [0; HEADER_LENGTH];
        header[..8].copy_from_slice(&MAGIC);
        header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        header[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
        header[12..16].copy_from_slice(&self.life.to_le_bytes());
        header[16..24].copy_from_slice(&self.generation.to_le_bytes());
        let checksum = crc32fast::hash(&header[..28]);
        header[28..].copy_from_slice(&checksum.to_le_bytes());
        header
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let header = bytes.first_chunk::<HEADER_LENGTH>().ok_or(HeaderFault::Torn)?;
        let version = u16::from_le_bytes([header[8], header[9]]);
        if header.starts_with(&MAGIC) && version != FORMAT_VERSION {
            return Err(HeaderFault::Version(version));
        }
        let name = Self { life: u32_at(header, 12), generation: u64_at(header, 16) };
        if name.header() == *header { Ok(name) } else { Err(HeaderFault::Torn) }
    }

    /// Appends a record that will lie at `offset` of its log.
    pub(super) fn encode(self, record: &Undo, offset: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let nothing = Identity { device: 0, inode: 0, birth: 0 };
        let (kind, identity, length) = match record {
            Undo::Existing { identity, length, .. } => (1, *identity, *length),
            Undo::Absent { .. } => (2, nothing, 0),
            Undo::Created { identity, .. } => (3, *identity, 0),
        };
        let path = record.path().as_os_str().as_bytes();
        out.extend_from_slice(&(path.len() as u32).to_le_bytes());
        out.extend_from_slice(&[kind, 0, 0, 0]);
        for number in [identity.device, identity.inode, identity.birth, length] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(path);
        let checksum = self.checksum(offset, &out[start..]);
        out.extend_from_slice(&checksum.to_le_bytes());
    }

    /// The record at `offset` and where the next begins; `None` unless a whole one of this log lies there.
    pub(super) fn decode(self, log: &[u8], offset: usize) -> Option<(Undo, usize)> {
        let fixed = log.get(offset..)?.first_chunk::<FIXED_LENGTH>()?;
        let path_length = u32_at(fixed, 0) as usize;
        if path_length > MAX_PATH_LENGTH {
            return None;
        }
        let path_end = offset + FIXED_LENGTH + path_length;
        let stored = log.get(path_end..)?.first_chunk::<CHECKSUM_LENGTH>()?;
        if self.checksum(offset as u64, &log[offset..path_end]) != u32::from_le_bytes(*stored) {
            return None;
        }
        let path = PathBuf::from(OsStr::from_bytes(&log[offset + FIXED_LENGTH..path_end]));
        let identity =
            Identity { device: u64_at(fixed, 8), inode: u64_at(fixed, 16), birth: u64_at(fixed, 24) };
        let record = match fixed[4] {
            1 => Undo::Existing { path, identity, length: u64_at(fixed, 32) },
            2 => Undo::Absent { path },
            3 => Undo::Created { path, identity },
            _ => return None,
        };
        Some((record, path_end + CHECKSUM_LENGTH))
    }

    fn checksum(self, offset: u64, bytes: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.life.to_le_bytes());
        hasher.update(&self.generation.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn u64_at<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: LogName = LogName { generation: 7, life: 11 };

    fn existing(path: &str) -> Undo {
        Undo::Existing {
            path: path.into(),
            identity: Identity { device: 1, inode: 2, birth: 3 },
            length: u64::MAX,
        }
    }

    #[test]
    fn a_record_passes_only_in_its_own_log_and_at_its_own_offset() {
        let mut bytes = vec![0; 100];
        NAME.encode(&existing("/var/log/飛脚.log"), 100, &mut bytes);
        assert_eq!(NAME.decode(&bytes, 100), Some((existing("/var/log/飛脚.log"), bytes.len())));
        assert_eq!(LogName { generation: 8, ..NAME }.decode(&bytes, 100), None);
        assert_eq!(LogName { life: 12, ..NAME }.decode(&bytes, 100), None);
        bytes.insert(0, 0);
        assert_eq!(NAME.decode(&bytes, 101), None);
    }

    #[test]
    fn no_single_changed_bit_passes() {
        let mut bytes = Vec::new();
        NAME.encode(&existing("a"), 0, &mut bytes);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(NAME.decode(&bytes, 0), None, "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(NAME.decode(&bytes, 0).is_some());
    }

    #[test]
    fn the_longest_path_passes_and_a_longer_one_is_damage() {
        for (length, passes) in [(MAX_PATH_LENGTH, true), (MAX_PATH_LENGTH + 1, false)] {
            let mut bytes = Vec::new();
            NAME.encode(&existing(&"x".repeat(length)), 0, &mut bytes);
            assert_eq!(NAME.decode(&bytes, 0).is_some(), passes, "{length}");
        }
    }

    #[test]
    fn a_header_cut_anywhere_is_torn_and_one_of_another_version_says_so() {
        let header = NAME.header();
        assert_eq!(LogName::parse(&header), Ok(NAME));
        for length in 0..header.len() {
            assert_eq!(LogName::parse(&header[..length]), Err(HeaderFault::Torn));
        }
        for version in [0, 2] {
            let mut other = header;
            other[8] = version;
            assert_eq!(LogName::parse(&other), Err(HeaderFault::Version(version.into())));
        }
        let mut damaged = header;
        damaged[16] ^= 1;
        assert_eq!(LogName::parse(&damaged), Err(HeaderFault::Torn));
    }
}
