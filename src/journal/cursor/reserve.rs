//! Space that is set aside for cursors, and given up when the disk is full.

use super::CursorFolder;
use crate::journal::durable::replace_file;

/// Bytes set aside beside the cursors, given up when the disk is full: without a cursor nothing could be freed.
const RESERVE_LENGTH: usize = 1024 * 1024;
/// No output of a configuration can have a cursor of this name, or of the one under which it is written.
const RESERVE: &str = "@reserve";
/// As earlier versions called it, and the unfinished one of an output with the id `reserve`.
const RESERVE_BEFORE: &str = "reserve";

impl CursorFolder {
    /// Gives the reserve of an earlier version its name.
    pub(super) fn take_over_reserve(&self) {
        let before = self.path.join(RESERVE_BEFORE);
        if matches!(self.storage.stat(&before), Ok(Some(_)))
            && let Err(error) = self.storage.rename(&before, &self.path.join(RESERVE))
        {
            tracing::debug!(%error, path = %before.display(), "cannot rename the reserve of an earlier version");
        }
    }

    /// Gives the reserve up, for what has to be written so that a full disk can be freed.
    pub(in crate::journal) fn use_reserve(&self) {
        let path = self.path.join(RESERVE);
        match self.storage.remove(&path) {
            Ok(()) => {
                tracing::warn!(path = %path.display(), "the disk is full: using the reserve to go on delivering")
            }
            Err(error) => tracing::debug!(%error, path = %path.display(), "the reserve is used up"),
        }
    }

    /// Written again as soon as there is space. That there is none now is no error: the next save tries again.
    pub(super) fn keep_reserve(&self) {
        let path = self.path.join(RESERVE);
        if matches!(self.storage.stat(&path), Ok(None))
            && let Err(error) = replace_file(self.storage.as_ref(), &path, &vec![0xff; RESERVE_LENGTH])
        {
            tracing::debug!(%error, path = %path.display(), "no space for the reserve yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::cursor::tests::{cursor, folder};

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
