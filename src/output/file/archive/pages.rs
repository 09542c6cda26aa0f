//! The memory in which the system holds what was written to a file.

use crate::storage::StorageFile;

/// So many bytes are written before the system is asked to let go of them: enough for a disk to write at once.
const EVERY: u64 = 1024 * 1024;

/// What the system may still hold of a file.
///
/// Nobody reads soon what is archived. If it stays, each page of it takes a new one, which costs several times what filling
/// it does where the memory is a host's; and a checkpoint has all of it to write at once.
#[derive(Debug)]
pub(super) struct Pages {
    /// Where those begin that may still be there.
    kept_from: u64,
    /// Up to where they were to be written: those before it are on the disk the next time, or soon.
    asked_to: u64,
}

impl Pages {
    /// Of a file that is so long.
    pub(super) fn of(length: u64) -> Self {
        Self { kept_from: length, asked_to: length }
    }

    /// Takes note that a file was written up to `end`.
    pub(super) fn written(&mut self, file: &dyn StorageFile, end: u64) {
        if end.saturating_sub(self.asked_to) >= EVERY {
            file.let_go(self.kept_from, end - self.kept_from);
            self.kept_from = std::mem::replace(&mut self.asked_to, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::storage::Stat;

    /// Remembers what it was to let go of.
    #[derive(Debug, Default)]
    struct LetGo(Mutex<Vec<(u64, u64)>>);

    impl StorageFile for LetGo {
        fn stat(&self) -> io::Result<Stat> {
            unreachable!()
        }
        fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
            unreachable!()
        }
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            unreachable!()
        }
        fn append(&self, _: &[u8]) -> io::Result<usize> {
            unreachable!()
        }
        fn set_len(&self, _: u64) -> io::Result<()> {
            unreachable!()
        }
        fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
            unreachable!()
        }
        fn sync(&self) -> io::Result<()> {
            unreachable!()
        }
        fn let_go(&self, offset: u64, length: u64) {
            self.0.lock().unwrap().push((offset, length));
        }
        fn sync_filesystem(&self) -> io::Result<()> {
            unreachable!()
        }
    }

    #[test]
    fn all_is_let_go_of_twice_to_be_written_and_when_it_was() {
        let file = LetGo::default();
        let mut pages = Pages::of(100);
        for end in [100, 200, 100 + EVERY - 1, 100 + EVERY, 101 + EVERY, 100 + 3 * EVERY, 100 + 4 * EVERY] {
            pages.written(&file, end);
        }
        let expected = [(100, EVERY), (100, 3 * EVERY), (100 + EVERY, 3 * EVERY)];
        assert_eq!(*file.0.lock().unwrap(), expected);
    }

    #[test]
    fn a_file_that_somebody_cut_is_let_go_of_again_once_it_is_as_long() {
        let file = LetGo::default();
        let mut pages = Pages::of(10 * EVERY);
        pages.written(&file, EVERY);
        assert!(file.0.lock().unwrap().is_empty());
        pages.written(&file, 11 * EVERY);
        assert_eq!(*file.0.lock().unwrap(), [(10 * EVERY, EVERY)]);
    }
}
