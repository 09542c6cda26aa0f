//! An open file of a simulated disk.

use std::io::{self, IoSlice};
use std::ops::Deref;
use std::path::Path;

use super::faults::{Errno, Fate, Kind, Space};
use super::state::State;
use super::{Begun, Simulated};
use crate::storage::{Stat, StorageFile};

#[derive(Debug)]
pub(super) struct SimulatedFile {
    disk: Simulated,
    number: u64,
    /// Whose it is: a file is not open any more in the life of another process.
    life: u64,
}

impl SimulatedFile {
    pub(super) fn new(disk: Simulated, number: u64, life: u64) -> Self {
        Self { disk, number, life }
    }

    fn begin(&self, state: &mut State, name: &str, detail: u64, kind: Kind) -> Begun {
        if state.life != self.life {
            return Begun::Dead;
        }
        let path = state.path_of(self.number);
        state.begin(name, &path, detail, kind)
    }

    fn write(&self, name: &str, bytes: &[u8], offset: Option<u64>) -> io::Result<usize> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, name, bytes.len() as u64, Kind::Write);
        state.trace.note_bytes(bytes);
        let mut wanted = bytes.len();
        if matches!(begun, Begun::Goes(Fate::Short | Fate::Fails(Errno::Io)) | Begun::DiesAfterwards) {
            wanted = state.random.below(wanted as u64 + 1) as usize;
        }
        if begun.is_success() {
            state.may_grow(self.number)?;
        }
        let is_full = state.space == Space::Full;
        let result = state.content(self.number).map(|content| {
            let offset = offset.map_or(content.len(), |offset| offset as usize);
            let backed = if is_full { content.backed(offset, wanted) } else { wanted };
            (offset, backed)
        });
        let Some((offset, backed)) = result else { return Err(super::dead()) };
        if !matches!(begun, Begun::Dead | Begun::Goes(Fate::Fails(Errno::Interrupted))) {
            state.file(self.number)?.content.write(&bytes[..backed], offset);
        }
        state.finish(begun, |_| match backed {
            0 if wanted > 0 => Err(Errno::NoSpace.error()),
            // A write of nothing is an error to those who write all; the kernel never gives it for more than that.
            0 if !bytes.is_empty() => Err(Errno::Interrupted.error()),
            backed => Ok(backed),
        })
    }
}

impl StorageFile for SimulatedFile {
    fn stat(&self) -> io::Result<Stat> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "stat_open", 0, Kind::Names);
        state.finish(begun, |state| Ok(state.stat_file(self.number)))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "read_at", offset, Kind::Look);
        let is_short = begun == Begun::Goes(Fate::Short);
        let shorter =
            if is_short { 1 + state.random.below(buffer.len() as u64) as usize } else { usize::MAX };
        let is_broken = state.is_unreadable(self.number, offset, buffer.len());
        state.finish(begun, |state| {
            if is_broken {
                return Err(Errno::Io.error());
            }
            let bytes = state.content(self.number).map_or(&[][..], |content| content.bytes());
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(buffer.len()).min(shorter);
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.write("write_at", bytes, Some(offset))
    }

    fn write_parts_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let parts: Vec<&[u8]> = parts.iter().map(Deref::deref).collect();
        self.write("write_at", &parts.concat(), Some(offset))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.write("append", bytes, None)
    }

    fn append_blocks(&self, blocks: &[u8]) -> io::Result<usize> {
        self.write("append_blocks", blocks, None)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "set_len", length, Kind::Names);
        state.finish(begun, |state| {
            state.file(self.number)?.content.set_len(length as usize);
            Ok(())
        })
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "allocate", offset + length, Kind::Names);
        let is_full = state.space != Space::Enough;
        state.finish(begun, |state| {
            let content = &mut state.file(self.number)?.content;
            if is_full && content.backed(offset as usize, length as usize) < length as usize {
                return Err(Errno::NoSpace.error());
            }
            content.allocate((offset + length) as usize);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "sync", 0, Kind::Sync);
        // Space that was not set aside is looked for only now.
        let needs_space = state.content(self.number).is_some_and(|content| content.needs_space());
        let has_space = state.space == Space::Enough || !needs_space;
        if begun == Begun::Goes(Fate::Fails(Errno::Io)) || (!has_space && begun != Begun::Dead) {
            let mut random = state.random.fork();
            state.file(self.number)?.content.fail_sync(&mut random);
        }
        state.finish(begun, |state| {
            if !has_space {
                return Err(Errno::NoSpace.error());
            }
            state.file(self.number)?.content.sync();
            Ok(())
        })
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let begun = self.begin(&mut state, "sync_filesystem", 0, Kind::Sync);
        state.finish(begun, |state| {
            state.sync_all();
            Ok(())
        })
    }
}

impl State {
    /// Whether a read meets what the disk can't read.
    fn is_unreadable(&self, number: u64, offset: u64, length: usize) -> bool {
        let read = offset..offset.saturating_add(length as u64);
        let meets = |range: &std::ops::Range<u64>| range.start < read.end && read.start < range.end;
        self.unreadable.iter().any(|(file, range)| *file == number && meets(range))
    }

    /// A name of a file, for the trace.
    fn path_of(&self, number: u64) -> std::path::PathBuf {
        Path::new("file").join(number.to_string())
    }
}
