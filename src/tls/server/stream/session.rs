//! TLS of one connection, without its socket: bytes in, plaintext out, and the other way round.
//!
//! rustls does the handshake. What follows it in TLS 1.3 goes through `records`, from where the socket was read to straight
//! to where the reader wants it; in TLS 1.2 through rustls.

use std::fmt;
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::{Error, InvalidMessage, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::io::ReadBuf;

use super::by_rustls::{ByRustls, Turn, Wish};
use super::established::Established;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::records::MAX_CONTENT;

/// The server's side of a connection.
pub(super) struct Session {
    layer: Layer,
    incoming: Incoming,
    outgoing: Outgoing,
    has_closed: bool,
    /// What ended it; nothing must be asked again.
    failure: Option<Error>,
}

/// What makes records of plaintext, and plaintext of records.
enum Layer {
    Rustls(Box<ByRustls>),
    Records(Box<Established>),
    /// It failed between the two.
    Nothing,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        let may_hand_over = config.enable_secret_extraction;
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self {
            layer: Layer::Rustls(Box::new(ByRustls::new(connection, may_hand_over))),
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            has_closed: false,
            failure: None,
        })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        matches!(&self.layer, Layer::Rustls(rustls) if rustls.is_handshaking())
    }

    /// The peer has said that it sends no more.
    pub(super) fn peer_has_closed(&self) -> bool {
        match &self.layer {
            Layer::Rustls(rustls) => rustls.peer_has_closed,
            Layer::Records(established) => established.peer_has_closed,
            Layer::Nothing => false,
        }
    }

    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        match &self.layer {
            Layer::Rustls(rustls) => rustls.peer_certificates(),
            Layer::Records(established) => established.peer_certificates.as_deref(),
            Layer::Nothing => None,
        }
    }

    /// Records that the peer is to get; say with [`sent`](Self::sent) how much of them it got.
    pub(super) fn to_send(&self) -> &[u8] {
        self.outgoing.bytes()
    }

    pub(super) fn sent(&mut self, count: usize) {
        self.outgoing.sent(count);
    }

    /// Where the socket can be read to, for whoever wants so many bytes; say with [`received`](Self::received) how much it was.
    pub(super) fn room(&mut self, wanted: usize) -> Result<&mut [u8], Error> {
        self.incoming.room(wanted).map_err(|_| InvalidMessage::HandshakePayloadTooLarge.into())
    }

    pub(super) fn received(&mut self, count: usize) {
        self.incoming.filled(count);
    }

    /// The socket gives nothing for now.
    pub(super) fn rest(&mut self) {
        self.incoming.rest();
    }

    /// Hands out what can be deciphered of what came.
    pub(super) fn read(&mut self, into: &mut ReadBuf<'_>) -> Result<(), Error> {
        if let Layer::Rustls(rustls) = &mut self.layer {
            rustls.ahead.hand_out(into);
            if self.has_closed {
                // Whoever has said the last word waits for the end of the other side alone, and need not ask rustls, which is not
                // made to be shown more: what does not check would be a second alert, at which its debug builds panic.
                self.incoming.clear();
                return self.failure.clone().map_or(Ok(()), Err);
            }
            while into.remaining() > 0 && self.turn(Wish::Nothing, into)? == Turn::GoesOn {}
        }
        match (&mut self.layer, &self.failure) {
            (Layer::Records(established), None) => established
                .read(&mut self.incoming, &mut self.outgoing, into)
                .map_err(|error| self.fail(error)),
            (_, Some(failure)) => Err(failure.clone()),
            (Layer::Rustls(_) | Layer::Nothing, None) => Ok(()),
        }
    }

    /// Goes on with the handshake as far as possible.
    pub(super) fn shake_hands(&mut self) -> Result<(), Error> {
        self.until_done(Wish::Nothing).map(drop)
    }

    /// Makes records of as much as one holds. Whoever waits until the last is sent bounds the memory.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let bytes = &bytes[..bytes.len().min(MAX_CONTENT)];
        if self.has_closed || self.until_done(Wish::Write(bytes))? == Turn::Blocked {
            return Err(Error::General(
                "nothing can be sent before the handshake or after close_notify".to_owned(),
            ));
        }
        Ok(bytes.len())
    }

    /// Says that nothing more is sent. Where the connection has failed, the peer has had an alert.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        if self.has_closed || self.failure.is_some() || self.is_handshaking() {
            return Ok(());
        }
        self.has_closed = true;
        self.until_done(Wish::Close).map(drop)
    }

    /// What comes meanwhile waits in memory, and is no more than what the socket was read to.
    fn until_done(&mut self, wish: Wish<'_>) -> Result<Turn, Error> {
        loop {
            match self.turn(wish, &mut ReadBuf::new(&mut []))? {
                Turn::GoesOn => {}
                end => return Ok(end),
            }
        }
    }

    fn turn(&mut self, wish: Wish<'_>, into: &mut ReadBuf<'_>) -> Result<Turn, Error> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        match &mut self.layer {
            Layer::Rustls(rustls) => {
                let turn = match rustls.turn(&mut self.incoming, &mut self.outgoing, wish, into) {
                    Ok(turn) => turn,
                    Err(error) => {
                        rustls.tell(&mut self.outgoing);
                        return Err(self.fail(error));
                    }
                };
                if turn == Turn::Done && rustls.can_hand_over() {
                    self.hand_over().map_err(|error| self.fail(error))?;
                }
                Ok(turn)
            }
            Layer::Records(established) => {
                let fulfilled = established.fulfil(wish, &mut self.outgoing);
                fulfilled.map(|()| Turn::Done).map_err(|error| self.fail(error))
            }
            Layer::Nothing => Ok(Turn::Blocked),
        }
    }

    fn hand_over(&mut self) -> Result<(), Error> {
        if let Layer::Rustls(rustls) = std::mem::replace(&mut self.layer, Layer::Nothing) {
            let peer_certificates = rustls.peer_certificates().map(<[_]>::to_vec);
            let established = Established::new(rustls.into_connection(), peer_certificates)?;
            self.layer = Layer::Records(Box::new(established));
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn records(&mut self) -> Option<&mut super::records::Records> {
        match &mut self.layer {
            Layer::Records(established) => Some(&mut established.records),
            Layer::Rustls(_) | Layer::Nothing => None,
        }
    }

    fn fail(&mut self, error: Error) -> Error {
        self.incoming.clear();
        self.failure = Some(error.clone());
        error
    }
}
