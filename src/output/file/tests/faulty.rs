//! A disk that fails, or on which the process dies, at a chosen call.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::storage::{Disk, Listed, Open, Stat, Storage, StorageFile, folder_of};

/// What goes wrong, counted from call 0.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    Nothing,
    /// The process dies before this call, or in the middle of it where it is a write.
    CrashAt(u64),
    /// This call fails, and those after it do not. A write fails in its middle.
    FailAt(u64),
    /// This call and the next fail: a write, and what would clean up behind it.
    FailTwiceAt(u64),
    /// The first call fails as above, and the process, which goes on, dies at the second.
    FailAtThenCrashAt(u64, u64),
    /// Every write from this call on comes to an end after one byte.
    ShortFrom(u64),
}

/// Does not sync really, so that a test can do thousands of runs; it notes what was synced instead.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    fault: Fault,
    /// Where removed files are kept that a power failure may bring back.
    graveyard: Option<PathBuf>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// The name of each call, with the file that it was about.
    pub(super) calls: Vec<String>,
    /// By inode and birth: how much of the file is durable. Files that were there before are, all of them.
    pub(super) durable_length: HashMap<(u64, u64), u64>,
    /// Files and folders that were made, and whose names are not durable.
    pub(super) fleeting_names: BTreeSet<PathBuf>,
    /// By inode and birth: durable ends that were cut off, not durably.
    pub(super) fleeting_cuts: HashMap<(u64, u64), Vec<u8>>,
    /// Files whose removal is not durable, and where they are kept meanwhile.
    pub(super) fleeting_removals: Vec<(PathBuf, PathBuf)>,
}

impl Faulty {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, graveyard: None, state: Arc::default() }
    }

    /// One after which there can be a power failure.
    pub(super) fn with_graveyard(fault: Fault, graveyard: PathBuf) -> Self {
        Self { graveyard: Some(graveyard), ..Self::new(fault) }
    }

    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A call; also for those that are not the storage's, such as saving the cursor.
    pub(super) fn call(&self, name: &str, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let number = state.calls.len() as u64;
        let name_of_file = path.file_name().unwrap_or_default().to_string_lossy();
        state.calls.push(format!("{name} {name_of_file}"));
        match self.fault {
            Fault::CrashAt(at) if number >= at => Err(io::Error::other("the process is dead")),
            Fault::FailAtThenCrashAt(_, at) if number >= at => Err(io::Error::other("the process is dead")),
            Fault::FailTwiceAt(at) if number == at || number == at + 1 => {
                Err(io::Error::other("this call fails"))
            }
            Fault::FailAt(at) | Fault::FailAtThenCrashAt(at, _) if number == at => {
                Err(io::Error::other("this call fails"))
            }
            _ => Ok(()),
        }
    }

    fn is_at_fault(&self) -> bool {
        let done = self.state().calls.len() as u64;
        match self.fault {
            Fault::CrashAt(at) | Fault::FailAt(at) | Fault::FailTwiceAt(at) => done == at + 1,
            Fault::FailAtThenCrashAt(one, other) => done == one + 1 || done == other + 1,
            Fault::Nothing | Fault::ShortFrom(_) => false,
        }
    }

    fn note_synced(&self, file: &dyn StorageFile) -> io::Result<()> {
        let stat = file.stat()?;
        let mut state = self.state();
        state.durable_length.insert(key(&stat), stat.length);
        state.fleeting_cuts.remove(&key(&stat));
        Ok(())
    }
}

pub(super) fn key(stat: &Stat) -> (u64, u64) {
    (stat.identity.inode, stat.identity.birth)
}

impl Storage for Faulty {
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.call("stat", path)?;
        Disk.stat(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        self.call(if how == Open::New { "create" } else { "open" }, path)?;
        let file = Disk.open(path, how)?;
        if how == Open::New {
            let stat = file.stat()?;
            let mut state = self.state();
            state.durable_length.insert(key(&stat), 0);
            state.fleeting_names.insert(path.to_owned());
        }
        Ok(Box::new(FaultyFile { faulty: self.clone(), file }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.call("create_folder", path)?;
        Disk.create_folder(path)?;
        self.state().fleeting_names.insert(path.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename", from)?;
        Disk.rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        self.call("link", name)?;
        std::fs::hard_link(file, name)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.call("sync_folder", path)?;
        let mut state = self.state();
        state.fleeting_names.retain(|name| folder_of(name) != path);
        state.fleeting_removals.retain(|(name, _)| folder_of(name) != path);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call("remove", path)?;
        let mut state = self.state();
        if !state.fleeting_names.remove(path)
            && let Some(graveyard) = &self.graveyard
        {
            let grave = graveyard.join(state.calls.len().to_string());
            std::fs::hard_link(path, &grave)?;
            state.fleeting_removals.push((path.to_owned(), grave));
        }
        Disk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        self.call("list", folder)?;
        Disk.list(folder)
    }

    fn draw(&self) -> u128 {
        Disk.draw()
    }
}

#[derive(Debug)]
struct FaultyFile {
    faulty: Faulty,
    file: Box<dyn StorageFile>,
}

impl FaultyFile {
    fn call(&self, name: &str) -> io::Result<()> {
        self.faulty.call(name, Path::new(""))
    }
}

impl FaultyFile {
    fn append_as(&self, name: &str, bytes: &[u8]) -> io::Result<usize> {
        let before = self.file.stat()?;
        self.faulty.state().durable_length.entry(key(&before)).or_insert(before.length);
        if let Err(error) = self.call(name) {
            if self.faulty.is_at_fault() {
                self.file.append(&bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        match self.faulty.fault {
            Fault::ShortFrom(from) if self.faulty.state().calls.len() as u64 > from => {
                self.file.append(&bytes[..1])
            }
            _ => self.file.append(bytes),
        }
    }
}

impl StorageFile for FaultyFile {
    fn stat(&self) -> io::Result<Stat> {
        self.call("stat_open")?;
        self.file.stat()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.append_as("append", bytes)
    }

    fn append_blocks(&self, blocks: &[u8]) -> io::Result<usize> {
        self.append_as("append_blocks", blocks)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.call("read_at")?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unreachable!("archives only append")
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.call("set_len")?;
        let stat = self.file.stat()?;
        let mut state = self.faulty.state();
        let durable = *state.durable_length.get(&key(&stat)).unwrap_or(&stat.length);
        if length < durable {
            let mut end = vec![0; (durable - length) as usize];
            self.file.read_at(&mut end, length)?;
            state.fleeting_cuts.insert(key(&stat), end);
            state.durable_length.insert(key(&stat), length);
        }
        self.file.set_len(length)
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        unreachable!("archives allocate nothing")
    }

    fn sync(&self) -> io::Result<()> {
        self.call("sync")?;
        self.faulty.note_synced(self.file.as_ref())
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        self.call("sync_filesystem")?;
        self.faulty.note_synced(self.file.as_ref())?;
        let mut state = self.faulty.state();
        state.durable_length.clear();
        state.fleeting_names.clear();
        state.fleeting_cuts.clear();
        state.fleeting_removals.clear();
        Ok(())
    }
}
