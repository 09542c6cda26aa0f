//! What keeps a file output from going on, until it is tried again.

use super::super::error::ArchiveError;
use super::super::recovery::RecoveryError;
use crate::journal::{AppendError, CursorError, ReadError, SkipError};

/// What is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Skip(#[from] SkipError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Request(#[from] CursorError),
    /// It goes on when that has come further.
    #[error("what it gives up is not durable elsewhere yet; everything is kept in the journal until it is")]
    HandingOver,
    #[error("it can't give up a file: {0}")]
    GiveUp(AppendError),
}

impl DeliveryError {
    /// Whether only a restart helps.
    pub(crate) fn needs_restart(&self) -> bool {
        matches!(self, Self::GiveUp(_))
    }
}
