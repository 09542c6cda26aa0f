//! The files of a TLS configuration, as they were at one moment.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::pem::TlsError;

/// Bytes of the largest file that is read. A revocation list of a million certificates has about 40 MiB.
pub const MAX_FILE_SIZE: u64 = 64 * 1024 * 1024;

/// What was in a set of files, or why they could not be read. What is built from it fits together as far as the files
/// did when they were read.
#[derive(Debug)]
pub struct Contents(BTreeMap<PathBuf, io::Result<Vec<u8>>>);

/// Tells whether files have changed: by what is in them, whatever their times, inodes and symbolic links say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl Contents {
    /// Reads all of them. A file that can't be read is an error only for whoever needs it.
    pub fn read<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        Self(paths.into_iter().map(|path| (path.to_owned(), read(path))).collect())
    }

    /// What is in a file.
    pub fn bytes(&self, path: &Path) -> Result<&[u8], TlsError> {
        match self.0.get(path) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(TlsError::Read { path: path.to_owned(), source: copy(error) }),
            None => Err(TlsError::Read { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }),
        }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let hash = |bytes: &Vec<u8>| digest(&SHA256, bytes).as_ref().try_into().ok();
        let hashes = self.0.iter().map(|(path, bytes)| (path.clone(), bytes.as_ref().ok().and_then(hash)));
        Fingerprint(hashes.collect())
    }
}

impl Fingerprint {
    /// The files that are not what they were.
    pub(super) fn changed_since(&self, earlier: &Self) -> Vec<&Path> {
        let changed = self.0.iter().filter(|(path, hash)| earlier.0.get(*path) != Some(hash));
        changed.map(|(path, _)| path.as_path()).collect()
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    Ok(bytes)
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_the_files_counts() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&a, "one").unwrap();
        let read = || Contents::read([a.as_path(), b.as_path()]).fingerprint();
        let before = read();
        std::fs::remove_file(&a).unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "one").unwrap();
        std::os::unix::fs::symlink(&target, &a).unwrap();
        assert_eq!(read(), before);
        std::fs::write(&target, "two").unwrap();
        assert_eq!(read().changed_since(&before), [a.as_path()]);
        std::fs::write(&b, "").unwrap();
        assert_eq!(
            read().changed_since(&before),
            [a.as_path(), b.as_path()],
            "an empty file is not a missing one"
        );
    }

    #[test]
    fn a_file_of_more_than_64_mebibytes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_FILE_SIZE).unwrap();
        assert_eq!(Contents::read([path.as_path()]).bytes(&path).unwrap().len() as u64, MAX_FILE_SIZE);
        file.set_len(MAX_FILE_SIZE + 1).unwrap();
        let error = Contents::read([path.as_path()]).bytes(&path).unwrap_err().to_string();
        assert!(error.contains("larger than 64 MiB"), "{error}");
    }
}
