//! The handshake, and all of TLS 1.2: what rustls does, without a socket.
//!
//! It deciphers where the bytes are, and gives each record out as memory of its own.

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{AppDataRecord, ConnectionState, UnbufferedStatus};
use rustls::{Error, ProtocolVersion};
use rustls_pki_types::CertificateDer;
use tokio::io::ReadBuf;

use super::ahead::Ahead;
use super::incoming::Incoming;
use super::outgoing::Outgoing;

/// Bytes of a record's header; the last two say how long the rest is.
const HEADER: usize = 5;

pub(super) struct ByRustls {
    connection: UnbufferedServerConnection,
    /// Until the handshake is over rustls is shown one record more at a time, so that what follows goes elsewhere
    /// untouched: of what came, these many bytes.
    shown: usize,
    /// Whether the version that was agreed on may go on elsewhere.
    may_hand_over: bool,
    pub(super) ahead: Ahead,
    pub(super) peer_has_closed: bool,
}

/// What is to be done as soon as the connection lets it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish<'a> {
    Nothing,
    Write(&'a [u8]),
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There may be more to do.
    GoesOn,
    /// All that came has been dealt with, and the wish is fulfilled.
    Done,
    /// All that came has been dealt with, and nothing can be sent: before the handshake is over, or when all is.
    Blocked,
}

impl ByRustls {
    pub(super) fn new(connection: UnbufferedServerConnection, may_hand_over: bool) -> Self {
        Self { connection, shown: 0, may_hand_over, ahead: Ahead::default(), peer_has_closed: false }
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.connection.peer_certificates()
    }

    /// Whether rustls is shown a record at a time.
    fn is_shown_less(&self) -> bool {
        self.connection.is_handshaking() || self.may_hand_over && self.is_tls13()
    }

    fn is_tls13(&self) -> bool {
        self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// Whether the handshake is over, rustls has seen nothing beyond it, and nothing is left of it: to be asked when a turn
    /// is [`Done`](Turn::Done).
    pub(super) fn can_hand_over(&mut self) -> bool {
        if self.connection.is_handshaking() || !self.is_tls13() {
            return false;
        }
        self.may_hand_over &= self.shown == 0;
        self.may_hand_over
    }

    pub(super) fn into_connection(self) -> UnbufferedServerConnection {
        self.connection
    }

    pub(super) fn turn(
        &mut self,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
        wish: Wish<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Result<Turn, Error> {
        let mut bytes = incoming.bytes();
        if self.is_shown_less() && record_length(&bytes[self.shown..]).is_some() {
            bytes = &mut bytes[..self.shown];
        }
        let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(bytes);
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
            Ok(ConnectionState::EncodeTlsData(data)) => outgoing.encode(data).map(|()| Turn::GoesOn),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                // It lies in `outgoing`, and goes out before anything else does.
                data.done();
                Ok(Turn::GoesOn)
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => match wish {
                Wish::Nothing => Ok(()),
                Wish::Write(bytes) => outgoing.encrypt(&mut traffic, bytes),
                Wish::Close => outgoing.close(&mut traffic),
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
        incoming.discard(discard);
        self.shown = self.shown.saturating_sub(discard);
        if self.peer_has_closed {
            incoming.clear();
        }
        let turn = turn?;
        let has_done_nothing = turn == Turn::Blocked || turn == Turn::Done && matches!(wish, Wish::Nothing);
        let shows_more = has_done_nothing && self.is_handshaking() && self.show_next(incoming);
        Ok(if shows_more { Turn::GoesOn } else { turn })
    }

    /// What tells the peer why it failed.
    pub(super) fn tell(&mut self, outgoing: &mut Outgoing) {
        while self.connection.wants_write() {
            let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(alert)), .. } =
                self.connection.process_tls_records(&mut [])
            else {
                return;
            };
            if outgoing.encode(alert).is_err() {
                return;
            }
        }
    }

    fn show_next(&mut self, incoming: &mut Incoming) -> bool {
        match record_length(&incoming.bytes()[self.shown..]) {
            None => false,
            Some(length) => {
                self.shown += length;
                true
            }
        }
    }
}

/// The length of the record that the bytes begin with, if all of it is there. Whether it is one is for rustls to say,
/// which looks at the header of one that is not there yet.
fn record_length(bytes: &[u8]) -> Option<usize> {
    let [.., high, low] = bytes.first_chunk::<HEADER>()?;
    let length = HEADER + usize::from(u16::from_be_bytes([*high, *low]));
    (length <= bytes.len()).then_some(length)
}
