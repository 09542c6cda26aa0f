//! What went wrong with single files while the others went on.

use std::io;
use std::path::{Path, PathBuf};

use crate::output::file::error::ArchiveError;

/// The first failure, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Failures {
    first: Option<(&'static str, PathBuf, io::Error)>,
    count: usize,
}

impl Failures {
    pub(super) fn add(&mut self, action: &'static str, path: &Path, source: io::Error) {
        self.count += 1;
        if self.first.is_none() {
            self.first = Some((action, path.to_owned(), source));
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn into_result(self) -> Result<(), ArchiveError> {
        match self.first {
            None => Ok(()),
            Some((action, path, source)) => {
                Err(ArchiveError::File { action, path, files: self.count, source })
            }
        }
    }
}
