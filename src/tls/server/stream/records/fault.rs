//! Why a connection is over.

use rustls::{AlertDescription, Error};

/// What a peer did, and what it is told.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Fault {
    pub(in super::super) error: Error,
    /// `None` where it gave up itself, or has no part in it.
    pub(super) alert: Option<AlertDescription>,
}

impl Fault {
    pub(super) fn new(alert: AlertDescription, error: impl Into<Error>) -> Self {
        Self { error: error.into(), alert: Some(alert) }
    }

    pub(super) fn unexpected(error: impl Into<Error>) -> Self {
        Self::new(AlertDescription::UnexpectedMessage, error)
    }

    pub(super) fn no_message(error: impl Into<Error>) -> Self {
        Self::new(AlertDescription::DecodeError, error)
    }

    pub(super) fn illegal(error: impl Into<Error>) -> Self {
        Self::new(AlertDescription::IllegalParameter, error)
    }

    /// A record that nobody sealed who knows the key, or that comes out of turn.
    pub(super) fn bad_record() -> Self {
        Self::new(AlertDescription::BadRecordMac, Error::DecryptError)
    }

    pub(super) fn too_long() -> Self {
        Self::new(AlertDescription::RecordOverflow, Error::PeerSentOversizedRecord)
    }

    pub(super) fn untold(error: Error) -> Self {
        Self { error, alert: None }
    }
}

/// Of this side's own keys.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(AlertDescription::InternalError, error)
    }
}
