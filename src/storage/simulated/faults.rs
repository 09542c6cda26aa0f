//! What goes wrong, and how often.

use std::io;
use std::path::PathBuf;

use super::random::Random;

/// How often calls fail: once in so many calls, never for 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// EIO from reads, writes, and calls about names.
    pub errors: u64,
    /// EIO from a sync of a file. Its pages still read well, the next sync succeeds, and the disk has only some of them.
    pub failed_syncs: u64,
    /// EIO from a sync of a folder; the next one succeeds and is true.
    pub failed_folder_syncs: u64,
    /// Reads and writes that come to an end early, and calls that are interrupted.
    pub short: u64,
    /// The kernel needs memory, and forgets pages that it calls clean.
    pub evictions: u64,
}

/// Files that can't be written however often it is tried, until somebody mends that: all below a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub below: PathBuf,
    pub how: BrokenHow,
}

/// What can't be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenHow {
    /// They can't be looked at, opened or made, as in a folder that was locked.
    Locked,
    /// They can't grow, as past a limit of the file system.
    TooLarge,
}

impl BrokenHow {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Locked => io::Error::from_raw_os_error(13),
            Self::TooLarge => io::Error::from_raw_os_error(27),
        }
    }
}

/// A call that is refused from some time on, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Its name in the [`Storage`](crate::storage::Storage) or [`StorageFile`](crate::storage::StorageFile).
    pub call: &'static str,
    /// How often it goes well before.
    pub after: u64,
    /// ENOSPC, else EIO.
    pub for_want_of_space: bool,
}

impl Refusal {
    /// What becomes of the next call of a name, where it is refused.
    pub(super) fn next(&mut self, call: &str) -> Option<Fate> {
        if call != self.call {
            return None;
        }
        let is_refused = self.after == 0;
        self.after = self.after.saturating_sub(1);
        is_refused.then_some(Fate::Fails(if self.for_want_of_space { Errno::NoSpace } else { Errno::Io }))
    }
}

/// Whether the disk has space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Space {
    #[default]
    Enough,
    /// There is none, and whoever needs some is told at once.
    Full,
    /// There is none, and writers are told when they sync, as on file systems that look for space as late as that.
    FullAtSync,
}

/// What a call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Look-ups and reads.
    Look,
    /// Writes of bytes.
    Write,
    /// Changes of names.
    Names,
    /// Making something that needs space.
    Create,
    Sync,
    SyncFolder,
    /// Of a folder whose names the disk has not yet.
    SyncChangedFolder,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Succeeds,
    /// Only a part of it is done.
    Short,
    Fails(Errno),
}

/// What a kernel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    Interrupted,
    Io,
    NoSpace,
}

impl Errno {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Interrupted => io::Error::from_raw_os_error(4),
            Self::Io => io::Error::from_raw_os_error(5),
            Self::NoSpace => io::Error::from_raw_os_error(28),
        }
    }
}

impl Faults {
    /// What becomes of the next call of a kind.
    pub(super) fn next(&self, kind: Kind, space: Space, random: &mut Random) -> Fate {
        match kind {
            Kind::Create if space != Space::Enough && random.one_in(4) => return Fate::Fails(Errno::NoSpace),
            Kind::Sync if random.one_in(self.failed_syncs) => return Fate::Fails(Errno::Io),
            Kind::SyncFolder | Kind::SyncChangedFolder if random.one_in(self.failed_folder_syncs) => {
                return Fate::Fails(Errno::Io);
            }
            Kind::SyncChangedFolder if space == Space::FullAtSync && random.one_in(4) => {
                return Fate::Fails(Errno::NoSpace);
            }
            Kind::Sync | Kind::SyncFolder | Kind::SyncChangedFolder => return Fate::Succeeds,
            _ => {}
        }
        if matches!(kind, Kind::Look | Kind::Write) && random.one_in(self.short) {
            return if random.one_in(4) { Fate::Fails(Errno::Interrupted) } else { Fate::Short };
        }
        if random.one_in(self.errors) { Fate::Fails(Errno::Io) } else { Fate::Succeeds }
    }
}
