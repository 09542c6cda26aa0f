//! The record layer of TLS 1.3 behind the handshake (RFC 8446, section 5), from the server's side: bytes in, plaintext
//! out, and the other way round. No socket, no clock.
//!
//! rustls does the handshake, keeps the traffic secrets and derives the next ones. What it can't do is decipher from one
//! buffer into another: it gives each record out as memory of its own, that has to be copied once more. Here a record
//! goes from where the socket was read to into the message that is being put together.
//!
//! ```text
//! header   1  type: 23, application data, whatever is inside
//!          2  version: 3, 3
//!          2  length of what follows, up to 2^14 + 256
//! sealed   …  content, up to 2^14 bytes
//!          1  type of the content: 21 alert, 22 handshake, 23 application data
//!          …  zeros, up to 2^14 + 1 bytes together with content and type
//!         16  tag, over all of the above
//! ```
//!
//! Whatever a peer may repeat without sending anything has a limit, the same as rustls': empty records, key updates,
//! warnings.

mod alerts;
mod contents;
mod fault;
mod header;
mod key;
mod key_updates;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::{ContentType, Error};
use tokio::io::ReadBuf;

use self::contents::{Contents, Taken};
use self::key::{Key, TAG};

pub(super) use self::fault::Fault;
pub(super) use self::header::MAX_CONTENT;

/// Both directions of a connection.
pub(super) struct Records {
    /// Derives the next secrets.
    kernel: KernelConnection<ServerConnectionData>,
    opening: Key,
    sealing: Key,
    /// Records that may be sealed with one key.
    confidentiality_limit: u64,
    contents: Contents,
    /// The peer asked for other keys from this side. Once is enough, however often it asks before it gets anything.
    owes_key_update: bool,
}

/// What became of the record that the bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Not all of it is there yet.
    Incomplete,
    /// It took so many bytes. What was in it has been handed out, or was none of the reader's business.
    Done { length: usize },
    /// The same, with this plaintext where the record was: there was no room to hand it out.
    InPlace { length: usize, plaintext: Range<usize> },
    /// The peer has said that nothing follows.
    Closed,
}

impl fmt::Debug for Records {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Records").finish_non_exhaustive()
    }
}

impl Records {
    /// Goes on behind a handshake. What came behind the record that ended it must not have been shown to rustls, and all
    /// that rustls has to send must have been taken from it.
    pub(super) fn behind(connection: UnbufferedServerConnection) -> Result<Self, Error> {
        let (secrets, kernel) = connection.dangerous_into_kernel_connection()?;
        let suite = kernel.negotiated_cipher_suite();
        let suite =
            suite.tls13().ok_or_else(|| Error::General("the connection is not TLS 1.3".to_owned()))?;
        Ok(Self {
            kernel,
            opening: Key::new(secrets.rx)?,
            sealing: Key::new(secrets.tx)?,
            confidentiality_limit: suite.common.confidentiality_limit,
            contents: Contents::default(),
            owes_key_update: false,
        })
    }

    /// Takes the first record of `bytes`, into where its plaintext is wanted if all of it has room there.
    ///
    /// # Errors
    ///
    /// The connection is over, and the fault says what to tell the peer.
    pub(super) fn open(&mut self, bytes: &mut [u8], into: &mut ReadBuf<'_>) -> Result<Opened, Fault> {
        let Some(length) = header::record_length(bytes)? else { return Ok(Opened::Incomplete) };
        let (header, sealed) = bytes[..length].split_at_mut(header::LENGTH);
        let Some(size) = sealed.len().checked_sub(TAG) else { return Err(Fault::bad_record()) };
        if size > into.remaining() {
            self.opening.open_in_place(header, sealed)?;
            let (kind, content) = header::split_inner(&sealed[..size])?;
            let plaintext = header::LENGTH..header::LENGTH + content.len();
            return Ok(match self.take(kind, content)? {
                Taken::Data => Opened::InPlace { length, plaintext },
                Taken::Nothing | Taken::KeyUpdate { .. } => Opened::Done { length },
                Taken::Closed => Opened::Closed,
            });
        }
        let plaintext = into.initialize_unfilled_to(size);
        self.opening.open_into(header, sealed, plaintext)?;
        let (kind, content) = header::split_inner(plaintext)?;
        let filled = content.len();
        match self.take(kind, content)? {
            Taken::Data => into.advance(filled),
            Taken::Nothing | Taken::KeyUpdate { .. } => {}
            Taken::Closed => return Ok(Opened::Closed),
        }
        Ok(Opened::Done { length })
    }

    /// Appends a record that holds these bytes, at most [`MAX_CONTENT`].
    ///
    /// # Errors
    ///
    /// Where there are no keys any more; nothing must be sealed from then on.
    pub(super) fn seal(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        // The last record of a key says that it was the last.
        if self.owes_key_update || self.sealing.sequence() + 1 >= self.confidentiality_limit {
            self.sealing.seal(ContentType::Handshake, &key_updates::NOTICE, out)?;
            self.sealing = Key::new(self.kernel.update_tx_secret()?)?;
            self.owes_key_update = false;
        }
        self.sealing.seal(ContentType::ApplicationData, bytes, out)
    }

    /// Appends the record that says that nothing follows.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        self.sealing.seal(ContentType::Alert, &alerts::CLOSE_NOTIFY, out)
    }

    /// Appends what tells the peer why the connection is over.
    pub(super) fn tell(&mut self, fault: &Fault, out: &mut Vec<u8>) -> Result<(), Error> {
        match fault.alert {
            None => Ok(()),
            Some(alert) => self.sealing.seal(ContentType::Alert, &alerts::fatal(alert), out),
        }
    }

    fn take(&mut self, kind: u8, content: &[u8]) -> Result<Taken, Fault> {
        let taken = self.contents.take(kind.into(), content)?;
        if let Taken::KeyUpdate { is_wanted_back } = taken {
            self.opening = Key::new(self.kernel.update_rx_secret()?)?;
            self.owes_key_update |= is_wanted_back;
        }
        Ok(taken)
    }
}
