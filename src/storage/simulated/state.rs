//! The disk itself, behind one lock.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::content::{Content, Loss};
use super::faults::{Broken, BrokenHow, Errno, Fate, Faults, Kind, Refusal, Space};
use super::names::{Names, Node};
use super::random::Random;
use super::trace::Trace;
use super::{Begun, dead};
use crate::storage::{Identity, LargeWrites, Listed, Open, Stat, folder_of};

#[derive(Debug)]
pub(super) struct State {
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) space: Space,
    pub(super) broken: Option<Broken>,
    pub(super) refusal: Option<Refusal>,
    pub(super) is_aside: bool,
    pub(super) names: Names,
    pub(super) calls: u64,
    pub(super) dies_at: Option<u64>,
    pub(super) is_dead: bool,
    /// Counts processes.
    pub(super) life: u64,
    pub(super) large_writes: LargeWrites,
    pub(super) trace: Trace,
    files: BTreeMap<u64, File>,
    /// What the disk can't read of files, until it can again.
    pub(super) unreadable: Vec<(u64, Range<u64>)>,
    /// Inode numbers of files that are gone, to be used again as file systems do.
    free_inodes: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) content: Content,
    inode: u64,
    born: u64,
    modified: u64,
    names: u64,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            faults: Faults::default(),
            space: Space::Enough,
            broken: None,
            refusal: None,
            is_aside: false,
            names: Names::default(),
            calls: 0,
            dies_at: None,
            is_dead: false,
            life: 0,
            // The simulation has no threads.
            large_writes: LargeWrites { on_a_thread: false, ..LargeWrites::default() },
            trace: Trace::default(),
            files: BTreeMap::new(),
            unreadable: Vec::new(),
            free_inodes: Vec::new(),
        }
    }

    /// Notes a call and decides what becomes of it.
    pub(super) fn begin(&mut self, name: &str, path: &Path, number: u64, kind: Kind) -> Begun {
        if self.is_aside {
            return Begun::Goes(Fate::Succeeds);
        }
        if self.is_dead {
            return Begun::Dead;
        }
        self.calls += 1;
        let begun = if self.dies_at.is_some_and(|at| self.calls >= at) {
            self.is_dead = true;
            if self.random.one_in(2) { Begun::DiesAfterwards } else { Begun::Dead }
        } else if let Some(fate) = self.refusal.as_mut().and_then(|refusal| refusal.next(name)) {
            Begun::Goes(fate)
        } else {
            if self.random.one_in(self.faults.evictions) {
                self.evict();
            }
            Begun::Goes(self.faults.next(kind, self.space, &mut self.random))
        };
        self.trace.note(self.calls, name, path, number, begun);
        begun
    }

    /// Does what a call is for, as far as it gets.
    pub(super) fn finish<R>(
        &mut self,
        begun: Begun,
        action: impl FnOnce(&mut Self) -> io::Result<R>,
    ) -> io::Result<R> {
        match begun {
            Begun::Goes(Fate::Succeeds | Fate::Short) => action(self),
            Begun::Goes(Fate::Fails(errno)) => Err(errno.error()),
            Begun::Dead => Err(dead()),
            Begun::DiesAfterwards => action(self).and(Err(dead())),
        }
    }

    /// A call that changes nothing.
    pub(super) fn call(&mut self, name: &str, path: &Path, number: u64, kind: Kind) -> io::Result<()> {
        match self.begin(name, path, number, kind) {
            // Only reads and writes of bytes are interrupted or short.
            Begun::Goes(Fate::Fails(Errno::Interrupted)) => Ok(()),
            begun => self.finish(begun, |_| Ok(())),
        }
    }

    /// Fails where something about a path can't be done until it is mended.
    pub(super) fn must_be_sound(&self, path: &Path, how: BrokenHow) -> io::Result<()> {
        match &self.broken {
            Some(broken) if broken.how == how && path.starts_with(&broken.below) && !self.is_aside => {
                Err(how.error())
            }
            _ => Ok(()),
        }
    }

    /// Whether a file can grow.
    pub(super) fn may_grow(&self, number: u64) -> io::Result<()> {
        if self.broken.is_none() {
            return Ok(());
        }
        let mut names = self.names.all().filter(|(_, node)| *node == Node::File(number));
        names.try_for_each(|(path, _)| self.must_be_sound(path, BrokenHow::TooLarge))
    }

    pub(super) fn file(&mut self, number: u64) -> io::Result<&mut File> {
        let calls = self.calls;
        let file = self.files.get_mut(&number).ok_or_else(dead)?;
        file.modified = calls;
        Ok(file)
    }

    pub(super) fn content(&self, number: u64) -> Option<&Content> {
        self.files.get(&number).map(|file| &file.content)
    }

    pub(super) fn stat(&self, node: Node) -> Stat {
        match node {
            Node::File(number) => self.stat_file(number),
            Node::Folder => {
                let identity = Identity { device: 1, inode: u64::MAX, birth: u64::MAX };
                Stat { identity, length: 0, names: 1, is_regular: false }
            }
        }
    }

    pub(super) fn stat_file(&self, number: u64) -> Stat {
        let nothing = File::default();
        let file = self.files.get(&number).unwrap_or(&nothing);
        let identity = Identity { device: 1, inode: file.inode, birth: file.born };
        Stat { identity, length: file.content.len() as u64, names: file.names, is_regular: true }
    }

    pub(super) fn open(&mut self, path: &Path, how: Open) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) if matches!(how, Open::New | Open::Private) => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Some(Node::File(number)) => {
                if how == Open::Emptied {
                    self.file(number)?.content.set_len(0);
                }
                Ok(number)
            }
            None if matches!(how, Open::New | Open::Emptied | Open::Private) => {
                self.folder_must_exist(folder_of(path))?;
                let number = self.calls;
                let inode = self.free_inodes.pop().unwrap_or(number);
                let file = File { inode, born: number, modified: number, names: 1, ..File::default() };
                self.files.insert(number, file);
                self.names.add(path, Node::File(number));
                Ok(number)
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.folder_must_exist(folder_of(to))?;
        if self.names.get(from).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some(Node::File(replaced)) = self.names.get(to) {
            self.forget_name(replaced);
        }
        self.names.rename(from, to);
        Ok(())
    }

    pub(super) fn link(&mut self, file: &Path, name: &Path) -> io::Result<()> {
        self.folder_must_exist(folder_of(name))?;
        match (self.names.get(file), self.names.get(name)) {
            (_, Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Node::File(number)), None) => {
                self.file(number)?.names += 1;
                self.names.add(name, Node::File(number));
                Ok(())
            }
            (Some(Node::Folder), None) => Err(io::ErrorKind::IsADirectory.into()),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        match self.names.get(path) {
            Some(Node::File(number)) => {
                self.forget_name(number);
                self.names.remove(path);
                Ok(())
            }
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn list(&self, folder: &Path) -> Vec<Listed> {
        let listed = |(path, node): (&Path, Node)| {
            let (length, modified) = match node {
                Node::Folder => (0, 0),
                Node::File(number) => {
                    (self.stat_file(number).length, self.files.get(&number).map_or(0, |file| file.modified))
                }
            };
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(modified);
            Listed { modified, path: path.to_owned(), length, is_folder: node == Node::Folder }
        };
        self.names.in_folder(folder).map(listed).collect()
    }

    pub(super) fn folder_must_exist(&self, folder: &Path) -> io::Result<()> {
        match self.names.get(folder) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn sync_all(&mut self) {
        self.names.sync_all();
        self.files.values_mut().for_each(|file| file.content.sync());
    }

    pub(super) fn evict(&mut self) {
        self.files.values_mut().for_each(|file| file.content.evict());
    }

    pub(super) fn restart(&mut self, loss: Option<Loss>) {
        self.life += 1;
        self.is_dead = false;
        self.dies_at = None;
        self.trace.note_restart(loss);
        let Some(loss) = loss else {
            let names = &self.names;
            self.files.retain(|number, _| names.know(*number));
            return;
        };
        self.names.fail_power(loss, &mut self.random);
        for file in self.files.values_mut() {
            file.names = 0;
            file.content.fail_power(loss, &mut self.random);
        }
        for (_, node) in self.names.all() {
            if let Node::File(number) = node
                && let Some(file) = self.files.get_mut(&number)
            {
                file.names += 1;
            }
        }
        self.files.retain(|_, file| file.names > 0);
        let (files, free) = (&self.files, &mut self.free_inodes);
        free.retain(|inode| files.values().all(|file| file.inode != *inode));
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = crc32fast::Hasher::new();
        for (path, node) in self.names.all() {
            hasher.update(path.as_os_str().as_encoded_bytes());
            if let Node::File(number) = node {
                hasher.update(self.content(number).map_or(&[], Content::bytes));
            }
        }
        u64::from(hasher.finalize()) << 32 | u64::from(self.trace.checksum())
    }

    fn forget_name(&mut self, number: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.names -= 1;
            if file.names == 0 {
                self.free_inodes.push(file.inode);
            }
        }
    }
}
