//! What went wrong with single files while the others went on.

use std::io;
use std::path::{Path, PathBuf};

use crate::output::file::error::ArchiveError;

/// A file that could not be written.
#[derive(Debug)]
pub(in crate::output::file) struct FailedFile {
    pub(in crate::output::file) path: PathBuf,
    /// What could not be done, as a verb.
    pub(in crate::output::file) action: &'static str,
    pub(in crate::output::file) kind: io::ErrorKind,
    /// Why, in words.
    pub(in crate::output::file) reason: String,
}

/// All failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    first: Option<(&'static str, PathBuf, io::Error)>,
    files: Vec<FailedFile>,
}

impl Failures {
    pub(super) fn add(&mut self, action: &'static str, path: &Path, source: io::Error) {
        let (path, kind, reason) = (path.to_owned(), source.kind(), source.to_string());
        self.files.push(FailedFile { path: path.clone(), action, kind, reason });
        if self.first.is_none() {
            self.first = Some((action, path, source));
        }
    }

    pub(super) fn count(&self) -> usize {
        self.files.len()
    }

    /// Takes what is known about each of them.
    pub(super) fn take_files(&mut self) -> Vec<FailedFile> {
        std::mem::take(&mut self.files)
    }

    /// `files`: how many there were.
    pub(super) fn into_result(self, files: usize) -> Result<(), ArchiveError> {
        match self.first {
            None => Ok(()),
            Some((action, path, source)) => Err(ArchiveError::File { action, path, files, source }),
        }
    }
}
