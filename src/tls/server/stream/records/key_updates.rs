//! The one handshake message that a server takes behind the handshake (RFC 8446, section 4.6.3).
//!
//! ```text
//! 1  type: 24
//! 3  length: 1
//! 1  whether the other side is to take new keys as well: 0 or 1
//! ```

use rustls::{Error, HandshakeType, InvalidMessage, PeerMisbehaved};

use super::contents::Taken;
use super::fault::Fault;

/// This side takes new keys, and asks for none.
pub(super) const NOTICE: [u8; LENGTH] = [KEY_UPDATE, 0, 0, 1, 0];

const LENGTH: usize = 5;
const KEY_UPDATE: u8 = 24;

/// Key updates without any application data between them.
const MAX_IN_A_ROW: u8 = 32;

#[derive(Debug, Default)]
pub(super) struct KeyUpdates {
    /// A message that came in several records, as far as it has come.
    message: [u8; LENGTH],
    come: usize,
    in_a_row: u8,
}

impl KeyUpdates {
    /// Whether the rest of a message must come next.
    pub(super) fn is_cut(&self) -> bool {
        self.come > 0
    }

    /// There was application data.
    pub(super) fn forget(&mut self) {
        self.in_a_row = 0;
    }

    /// Takes what was in a record; nothing while the message is not whole.
    pub(super) fn take(&mut self, content: &[u8]) -> Result<Taken, Fault> {
        let count = content.len().min(LENGTH - self.come);
        let end = self.come + count;
        self.message[self.come..end].copy_from_slice(&content[..count]);
        self.come = end;
        let expected = [KEY_UPDATE, 0, 0, 1];
        if self.message[0] != KEY_UPDATE {
            return Err(Fault::unexpected(Error::InappropriateHandshakeMessage {
                expect_types: vec![HandshakeType::KeyUpdate],
                got_type: self.message[0].into(),
            }));
        }
        let head = end.min(expected.len());
        if self.message[..head] != expected[..head] {
            return Err(Fault::no_message(InvalidMessage::InvalidKeyUpdate));
        }
        if count < content.len() {
            // What follows would be sealed with the next key.
            return Err(Fault::unexpected(PeerMisbehaved::KeyEpochWithPendingFragment));
        }
        if end < LENGTH {
            return Ok(Taken::Nothing);
        }
        self.come = 0;
        self.in_a_row += 1;
        if self.in_a_row > MAX_IN_A_ROW {
            return Err(Fault::unexpected(PeerMisbehaved::TooManyKeyUpdateRequests));
        }
        match self.message[LENGTH - 1] {
            0 => Ok(Taken::KeyUpdate { is_wanted_back: false }),
            1 => Ok(Taken::KeyUpdate { is_wanted_back: true }),
            _ => Err(Fault::illegal(InvalidMessage::InvalidKeyUpdate)),
        }
    }
}
