//! Keys of filters, which live in files of their own.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Bytes of a key: what AES-256 takes, and HMAC-SHA-256 gains nothing from more.
const KEY_LENGTH: usize = 32;

/// Bytes of the largest key file that is read.
const MAX_FILE_SIZE: u64 = 4096;

/// A key of 256 bits. Printing it shows only where it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
    key: [u8; KEY_LENGTH],
}

/// Why there is no key. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot read the key file {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the key file {path} holds no key: expected 64 hex digits, as `openssl rand -hex 32` writes them",
        path = path.display()
    )]
    Format { path: PathBuf },
}

impl KeyFile {
    /// Reads a file with 64 hex digits and space around them.
    ///
    /// # Errors
    ///
    /// Where it can't be read or holds anything else.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_SIZE).read_to_string(&mut text))
            .map_err(|source| KeyFileError::Read { path: path.to_owned(), source })?;
        let key = decode(text.trim()).ok_or_else(|| KeyFileError::Format { path: path.to_owned() })?;
        Ok(Self { path: path.to_owned(), key })
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key itself, for whoever has to use it.
    pub fn reveal(&self) -> &[u8; KEY_LENGTH] {
        &self.key
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "key in {}", self.path.display())
    }
}

fn decode(hex: &str) -> Option<[u8; KEY_LENGTH]> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 2 * KEY_LENGTH { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixty_four_hex_digits_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let hex = "0123456789abcdefABCDEF0123456789".repeat(2);
        std::fs::write(&path, format!("{hex}\n")).unwrap();
        let key = KeyFile::read(&path).unwrap();
        assert_eq!(key.reveal()[..4], [0x01, 0x23, 0x45, 0x67]);
        assert!(!format!("{key:?}").contains("0123") && !format!("{key:?}").contains("35"));
        for wrong in ["", &hex[1..], &format!("{hex}0"), &hex.replace('0', "g"), &hex.replace('0', "é")] {
            std::fs::write(&path, wrong).unwrap();
            assert!(KeyFile::read(&path).unwrap_err().to_string().contains("openssl rand"), "{wrong:?}");
        }
        let missing = KeyFile::read(&folder.path().join("missing")).unwrap_err();
        assert!(missing.to_string().contains("cannot read"));
    }
}
