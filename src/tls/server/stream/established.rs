//! What follows the handshake in TLS 1.3, without a socket: `records`, and where their bytes lie.

use rustls::Error;
use rustls::server::UnbufferedServerConnection;
use rustls_pki_types::CertificateDer;
use tokio::io::ReadBuf;

use super::by_rustls::Wish;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::records::{Opened, Records};

pub(super) struct Established {
    pub(super) records: Records,
    pub(super) peer_certificates: Option<Vec<CertificateDer<'static>>>,
    pub(super) peer_has_closed: bool,
    /// This side sends nothing more, not even what is wrong.
    has_closed: bool,
}

impl Established {
    pub(super) fn new(
        connection: UnbufferedServerConnection,
        peer_certificates: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, Error> {
        let records = Records::behind(connection)?;
        Ok(Self { records, peer_certificates, peer_has_closed: false, has_closed: false })
    }

    /// Hands out what can be deciphered of what came. After an error, which the peer is told, nothing can.
    pub(super) fn read(
        &mut self,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
        into: &mut ReadBuf<'_>,
    ) -> Result<(), Error> {
        incoming.hand_out(into);
        while into.remaining() > 0 && !self.peer_has_closed {
            match self.records.open(incoming.bytes(), into) {
                Ok(Opened::Incomplete) => break,
                Ok(Opened::Done { length }) => incoming.discard(length),
                Ok(Opened::InPlace { length, plaintext }) => {
                    incoming.keep(length, plaintext);
                    incoming.hand_out(into);
                }
                Ok(Opened::Closed) => {
                    self.peer_has_closed = true;
                    incoming.clear();
                }
                Err(fault) => {
                    if !self.has_closed {
                        // Where not even that can be sealed, the first error is the one to tell.
                        let _ = self.records.tell(&fault, outgoing.records());
                    }
                    return Err(fault.error);
                }
            }
        }
        Ok(())
    }

    pub(super) fn fulfil(&mut self, wish: Wish<'_>, outgoing: &mut Outgoing) -> Result<(), Error> {
        match wish {
            Wish::Nothing | Wish::Write([]) => Ok(()),
            Wish::Write(bytes) => self.records.seal(bytes, outgoing.records()),
            Wish::Close => {
                self.has_closed = true;
                self.records.close(outgoing.records())
            }
        }
    }
}
