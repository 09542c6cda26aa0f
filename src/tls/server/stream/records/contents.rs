//! What is in records, and in what order it may come.

use rustls::{ContentType, Error, InvalidMessage, PeerMisbehaved};

use super::alerts::Alerts;
use super::fault::Fault;
use super::key_updates::KeyUpdates;

/// Records without content, one after the other.
const MAX_EMPTY: u8 = 32;

#[derive(Debug, Default)]
pub(super) struct Contents {
    alerts: Alerts,
    key_updates: KeyUpdates,
    empty_records: u8,
}

/// What was in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// Application data.
    Data,
    /// From now on the peer seals with its next key, and may ask the same of this side.
    KeyUpdate { is_wanted_back: bool },
    /// What means nothing, or not yet.
    Nothing,
    /// The peer sends nothing more.
    Closed,
}

impl Contents {
    pub(super) fn take(&mut self, kind: ContentType, content: &[u8]) -> Result<Taken, Fault> {
        if self.key_updates.is_cut() && kind != ContentType::Handshake {
            return Err(Fault::unexpected(PeerMisbehaved::MessageInterleavedWithHandshakeMessage));
        }
        match kind {
            ContentType::ApplicationData => self.count(content).map(|()| Taken::Data),
            ContentType::Alert | ContentType::Handshake if content.is_empty() => {
                Err(Fault::unexpected(InvalidMessage::InvalidEmptyPayload))
            }
            ContentType::Alert => self.alerts.take(content),
            ContentType::Handshake => self.key_updates.take(content),
            ContentType::ChangeCipherSpec => {
                Err(Fault::unexpected(PeerMisbehaved::IllegalMiddleboxChangeCipherSpec))
            }
            kind => Err(Fault::unexpected(Error::InappropriateMessage {
                expect_types: vec![ContentType::ApplicationData, ContentType::Handshake],
                got_type: kind,
            })),
        }
    }

    fn count(&mut self, content: &[u8]) -> Result<(), Fault> {
        if !content.is_empty() {
            self.empty_records = 0;
            self.key_updates.forget();
            return Ok(());
        }
        self.empty_records += 1;
        match self.empty_records > MAX_EMPTY {
            true => Err(Fault::unexpected(PeerMisbehaved::TooManyEmptyFragments)),
            false => Ok(()),
        }
    }
}
