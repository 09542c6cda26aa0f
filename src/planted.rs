//! Mistakes that a test switches on, to see whether the simulation finds them. No part of a server: without the feature
//! `planted-bugs` every one of these questions is answered with no when this is compiled.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// The journal is not synced before it answers.
    MissingSync,
    /// Senders are answered before what they sent is written.
    AckBeforeSync,
    /// Of entries that stay where they are not those are written that belong between two parts of a commit.
    ShiftedBlocks,
    /// A cursor is saved before the files that it speaks of.
    CursorBeforeFiles,
    /// A cursor is saved before large pieces of files are written as a whole.
    CursorBeforePieces,
    /// A new segment's name is not made durable.
    UnsyncedFolder,
    /// What undoes a write is not durable before the write.
    UnsyncedUndoLog,
    /// Resends are not recognised after a restart.
    ForgottenIds,
    /// An output that goes back to its last checkpoint leaves its files as they are.
    NotTakenBack,
    /// The file of a large chunk is not synced before its frame is written.
    UnsyncedLargeFile,
    /// The name of such a file is not made durable before its frame is written.
    UnsyncedLargeName,
    /// An output goes on before what it gave up is durable elsewhere.
    UnsyncedGivenUp,
    /// After a restart an output does not know what it gave up.
    ForgottenGivenUp,
    /// What an output gave up is let go before the output's own cursor has passed it.
    EarlyRelease,
    /// A file output saves how far it is before what it gave up is durable elsewhere.
    CheckpointBeforeHandOver,
    /// All pieces of a large chunk but the first pass filters by.
    UnfilteredPieces,
    /// What a file output gives up of chunks that it took before passes filters by.
    UnfilteredHandOver,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::MissingSync,
        Self::AckBeforeSync,
        Self::ShiftedBlocks,
        Self::CursorBeforeFiles,
        Self::CursorBeforePieces,
        Self::UnsyncedFolder,
        Self::UnsyncedUndoLog,
        Self::ForgottenIds,
        Self::NotTakenBack,
        Self::UnsyncedLargeFile,
        Self::UnsyncedLargeName,
        Self::UnsyncedGivenUp,
        Self::ForgottenGivenUp,
        Self::EarlyRelease,
        Self::CheckpointBeforeHandOver,
        Self::UnfilteredPieces,
        Self::UnfilteredHandOver,
    ];
}

#[cfg(feature = "planted-bugs")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Whether this mistake is to be made, on this thread.
    pub(crate) fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Makes a mistake on this thread until the answer is dropped.
    pub(crate) fn plant(bug: Option<Bug>) -> Planted {
        PLANTED.set(bug);
        Planted
    }

    /// As long as it lives, the mistake is made.
    #[derive(Debug)]
    pub(crate) struct Planted;

    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
}

#[cfg(feature = "planted-bugs")]
pub(crate) use switch::{is_planted, plant};

/// No.
#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}

/// Without the feature `planted-bugs` none is made.
#[cfg(all(feature = "simulation", not(feature = "planted-bugs")))]
pub(crate) const fn plant(_: Option<Bug>) {}
