//! TLS of one connection, without its socket: bytes in, plaintext out, and the other way round.
//!
//! rustls deciphers in the buffer that the socket was read to. It gives each record out as memory of its own, of which
//! the one copy is made here, to where the reader wants it.

use std::fmt;
use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{AppDataRecord, ConnectionState, UnbufferedStatus};
use rustls::{Error, InvalidMessage, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::io::ReadBuf;

use super::ahead::Ahead;
use super::incoming::Incoming;
use super::outgoing::Outgoing;

/// The plaintext of one record at most.
const MAX_RECORD: usize = 16 * 1024;

/// The server's side of a connection.
pub(super) struct Session {
    connection: UnbufferedServerConnection,
    incoming: Incoming,
    outgoing: Outgoing,
    ahead: Ahead,
    /// The peer has said that it sends no more.
    peer_has_closed: bool,
    has_closed: bool,
    /// What ended it; rustls must not be asked again.
    failure: Option<Error>,
}

/// What is to be done as soon as the connection lets it.
#[derive(Debug, Clone, Copy)]
enum Wish<'a> {
    Nothing,
    Write(&'a [u8]),
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There may be more to do.
    GoesOn,
    /// All that came has been dealt with, and the wish is fulfilled.
    Done,
    /// All that came has been dealt with, and nothing can be sent: before the handshake is over, or when all is.
    Blocked,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            incoming: Incoming::default(),
            outgoing: Outgoing::default(),
            ahead: Ahead::default(),
            peer_has_closed: false,
            has_closed: false,
            failure: None,
        })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(super) fn peer_has_closed(&self) -> bool {
        self.peer_has_closed
    }

    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.connection.peer_certificates()
    }

    /// Records that the peer is to get; say with [`sent`](Self::sent) how much of them it got.
    pub(super) fn to_send(&self) -> &[u8] {
        self.outgoing.bytes()
    }

    pub(super) fn sent(&mut self, count: usize) {
        self.outgoing.sent(count);
    }

    /// Where the socket can be read to; say with [`received`](Self::received) how much it was.
    pub(super) fn room(&mut self) -> Result<&mut [u8], Error> {
        self.incoming.room().map_err(|_| InvalidMessage::HandshakePayloadTooLarge.into())
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
        self.ahead.hand_out(into);
        while into.remaining() > 0 && self.turn(Wish::Nothing, into)? == Turn::GoesOn {}
        Ok(())
    }

    /// Goes on with the handshake as far as possible.
    pub(super) fn shake_hands(&mut self) -> Result<(), Error> {
        self.until_done(Wish::Nothing).map(drop)
    }

    /// Makes records of as much as one holds. Whoever waits until the last is sent bounds the memory.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let bytes = &bytes[..bytes.len().min(MAX_RECORD)];
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
        let UnbufferedStatus { mut discard, state } =
            self.connection.process_tls_records(self.incoming.bytes());
        let turn = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                match traffic.next_record() {
                    Some(Ok(AppDataRecord { discard: more, payload, .. })) => {
                        discard += more;
                        let now = payload.len().min(into.remaining());
                        into.put_slice(&payload[..now]);
                        self.ahead.keep(&payload[now..]);
                    }
                    Some(Err(error)) => break Err(error),
                    None => break Ok(Turn::GoesOn),
                }
            },
            Ok(ConnectionState::EncodeTlsData(data)) => self.outgoing.encode(data).map(|()| Turn::GoesOn),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It lies in `outgoing`, and goes out before anything else does.
                data.done();
                Ok(Turn::GoesOn)
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match wish {
                Wish::Nothing => Ok(()),
                Wish::Write(bytes) => self.outgoing.encrypt(&mut traffic, bytes),
                Wish::Close => self.outgoing.close(&mut traffic),
            }
            .map(|()| Turn::Done),
            Ok(ConnectionState::PeerClosed) => {
                self.peer_has_closed = true;
                Ok(Turn::GoesOn)
            }
            Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Ok(Turn::Blocked),
            // Early data, which no configuration here allows.
            Ok(state) => {
                Err(Error::General(format!("a TLS connection is in an unexpected state: {state:?}")))
            }
            Err(error) => Err(error),
        };
        self.incoming.discard(discard);
        if self.peer_has_closed {
            self.incoming.clear();
        }
        turn.inspect_err(|error| self.fail(error))
    }

    /// Keeps what tells the peer why.
    fn fail(&mut self, error: &Error) {
        self.failure = Some(error.clone());
        self.incoming.clear();
        while self.connection.wants_write() {
            let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(alert)), .. } =
                self.connection.process_tls_records(&mut [])
            else {
                return;
            };
            if self.outgoing.encode(alert).is_err() {
                return;
            }
        }
    }
}
