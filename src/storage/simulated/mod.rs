//! A disk in memory that keeps what a kernel would: what every process sees, and what a power failure would leave.
//!
//! * A **file** is pages in a cache and pages on the disk (`content.rs`). A power failure leaves any subset of the pages
//!   that were not synced, some of them torn at any byte. A cut comes undone, a length may be there without its bytes.
//! * A **name** is durable once its folder is synced (`names.rs`). Before that any subset of the changes may survive,
//!   but a rename is whole, and no change survives an earlier one of the same name.
//! * A **failed sync** calls all pages clean, though the disk has only some of them: they read well until the kernel
//!   needs their memory, and the next sync succeeds without them.
//! * A **full disk** refuses what has no space set aside: at the write, or only at the sync.
//! * **Calls** fail, come to an end early or are interrupted (`faults.rs`), and the process can die in any of them.
//!
//! All of it follows from a seed: the same calls get the same answers and leave the same bytes.

mod content;
mod faults;
mod file;
mod names;
mod others;
mod random;
mod state;
mod trace;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use content::Loss;
pub use faults::{Broken, BrokenHow, Faults, Refusal, Space};
pub use random::Random;

use super::{LargeWrites, Listed, Open, Stat, Storage, StorageFile, folder_of};
use faults::{Fate, Kind};
use file::SimulatedFile;
use names::Node;
use state::State;

/// A simulated disk; clones are handles on the same one.
#[derive(Debug, Clone)]
pub struct Simulated {
    state: Arc<Mutex<State>>,
}

impl Simulated {
    /// An empty disk on which nothing goes wrong yet.
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Whether there is space from now on, apart from what is set aside already.
    pub fn set_space(&self, space: Space) {
        self.state().space = space;
    }

    /// Bytes of blocks, two of which make a large piece.
    pub fn set_block(&self, block: usize) {
        let large_writes = &mut self.state().large_writes;
        *large_writes = LargeWrites { block, from: 2 * block, ..*large_writes };
    }

    /// What can't be written from now on; `None` mends it.
    pub fn set_broken(&self, broken: Option<Broken>) {
        self.state().broken = broken;
    }

    /// Refuses all calls of one name from now on, until this is asked for again with none.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.state().refusal = refusal;
    }

    /// Whether nothing fails but for want of space.
    pub fn is_sound(&self) -> bool {
        let Faults { errors, failed_syncs, failed_folder_syncs, .. } = self.state().faults;
        errors + failed_syncs + failed_folder_syncs == 0
    }

    /// Does something as if from outside: nothing goes wrong, and nobody counts the calls.
    pub fn aside<R>(&self, action: impl FnOnce() -> R) -> R {
        self.state().is_aside = true;
        let result = action();
        self.state().is_aside = false;
        result
    }

    /// The process dies in the middle of a call, so many calls from now; `None` for never.
    pub fn die_after(&self, calls: Option<u64>) {
        let mut state = self.state();
        state.dies_at = calls.map(|calls| state.calls + calls);
    }

    /// The process dies here and now: whatever it would still do comes to nothing.
    pub fn kill(&self) {
        self.state().is_dead = true;
    }

    /// Whether the process has died. All its calls fail from then on.
    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Begins the life of another process: files of the last one can't be used any more. With a loss, the power failed
    /// in between.
    pub fn restart(&self, loss: Option<Loss>) {
        self.state().restart(loss);
    }

    /// Keeps a line about every call from now on, for people.
    pub fn keep_lines(&self) {
        self.state().trace.keep_lines();
    }

    /// Takes the lines about the calls since the last time.
    pub fn take_lines(&self) -> Vec<String> {
        self.state().trace.take_lines()
    }

    /// What happened so far and what is on the disk, in one number.
    pub fn fingerprint(&self) -> u64 {
        self.state().fingerprint()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Simulated {
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let mut state = self.state();
        state.call("stat", path, 0, Kind::Look)?;
        state.must_be_sound(path, BrokenHow::Locked)?;
        Ok(state.names.get(path).map(|node| state.stat(node)))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let makes = matches!(how, Open::New | Open::Emptied | Open::Private);
        let kind = if makes { Kind::Create } else { Kind::Names };
        let (life, fate) = (state.life, state.begin("open", path, how as u64, kind));
        let number = state.finish(fate, |state| {
            state.must_be_sound(path, BrokenHow::Locked)?;
            state.open(path, how)
        })?;
        Ok(Box::new(SimulatedFile::new(self.clone(), number, life)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin("create_folder", path, 0, Kind::Create);
        state.finish(fate, |state| {
            state.must_be_sound(path, BrokenHow::Locked)?;
            state.folder_must_exist(folder_of(path))?;
            if state.names.get(path).is_some() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.names.add(path, Node::Folder);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin("rename", to, 0, Kind::Create);
        state.finish(fate, |state| state.rename(from, to))
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin("link", name, 0, Kind::Create);
        state.finish(fate, |state| state.link(file, name))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.begin("remove", path, 0, Kind::Names);
        state.finish(fate, |state| state.remove(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let mut state = self.state();
        state.call("list", folder, 0, Kind::Look)?;
        Ok(state.list(folder))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let kind = if state.names.are_pending_in(path) { Kind::SyncChangedFolder } else { Kind::SyncFolder };
        let fate = state.begin("sync_folder", path, 0, kind);
        state.finish(fate, |state| {
            state.folder_must_exist(path)?;
            state.names.sync_folder(path);
            Ok(())
        })
    }

    fn large_writes(&self) -> LargeWrites {
        self.state().large_writes
    }

    fn draw(&self) -> u128 {
        let random = &mut self.state().random;
        u128::from(random.number()) << 64 | u128::from(random.number())
    }
}

/// How a call begins, and how it ends where the process dies in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Goes(Fate),
    /// The process is dead, or dies before anything is done.
    Dead,
    /// It is done, and nobody hears of it.
    DiesAfterwards,
}

impl Begun {
    fn is_success(self) -> bool {
        self == Self::Goes(Fate::Succeeds)
    }

    /// For the checksum of the trace.
    fn code(self) -> u8 {
        match self {
            Self::Goes(Fate::Succeeds) => 0,
            Self::Goes(Fate::Short) => 1,
            Self::Goes(Fate::Fails(errno)) => 2 + errno as u8,
            Self::Dead => 10,
            Self::DiesAfterwards => 11,
        }
    }
}

fn dead() -> io::Error {
    io::Error::other("the process is dead")
}
