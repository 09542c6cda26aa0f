//! A TLS connection over a socket, from the server's side.
//!
//! What `tokio-rustls` does, but reading large pieces, and with fewer copies: rustls' buffered interface reads 4 KiB at a
//! time into memory that it makes small again after each record, and gives records out as memory of their own. `session` is
//! the protocol without a socket; here its bytes are moved.

mod ahead;
mod by_rustls;
mod established;
mod incoming;
mod outgoing;
mod records;
mod session;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::{Error, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::session::Session;

/// An accepted connection. What is read and written is plaintext.
///
/// Its end is an end only where the peer said so (close_notify); without that, reading gives
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). The other direction stays open until
/// [`poll_shutdown`](AsyncWrite::poll_shutdown).
#[derive(Debug)]
pub struct TlsStream<S> {
    socket: S,
    session: Session,
}

/// Does the server's part of the handshake. It takes as long as the client takes.
///
/// # Errors
///
/// With the socket, for whoever wants to close it in order; an alert has told the client what was wrong. Where TLS is to
/// blame the error holds a [`rustls::Error`], as [`explain`](crate::tls::explain::explain) expects it.
pub async fn accept<S>(config: Arc<ServerConfig>, socket: S) -> Result<TlsStream<S>, (io::Error, S)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let session = match Session::new(config) {
        Ok(session) => session,
        Err(error) => return Err((tls_error(error), socket)),
    };
    let mut stream = TlsStream { socket, session };
    match poll_fn(|context| stream.poll_handshake(context)).await {
        Ok(()) => Ok(stream),
        Err(error) => {
            // Whoever doesn't take the alert needn't know; the first error is the one to tell.
            let _ = poll_fn(|context| stream.poll_send(context)).await;
            Err((error, stream.socket))
        }
    }
}

impl<S> TlsStream<S> {
    /// What the client showed, its own certificate first; of a resumed session what it showed at its beginning.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.session.peer_certificates()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.session.shake_hands().map_err(tls_error)?;
            ready!(self.poll_send(context))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.session.peer_has_closed() {
                return Poll::Ready(Err(cut_off()));
            }
            ready!(self.poll_receive(context, 0))?;
        }
    }

    /// Reads the socket once, at least a byte, for whoever wants so many.
    fn poll_receive(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<()>> {
        let mut landed = ReadBuf::new(self.session.room(wanted).map_err(tls_error)?);
        let polled = Pin::new(&mut self.socket).poll_read(context, &mut landed);
        let count = landed.filled().len();
        self.session.received(count);
        if count == 0 {
            self.session.rest();
            ready!(polled)?;
            return Poll::Ready(Err(cut_off()));
        }
        polled
    }

    /// Writes to the socket what there is for the peer.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.to_send().is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(context, self.session.to_send()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.session.sent(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Tells the peer why, if it still listens.
    fn failed(&mut self, error: Error, context: &mut Context<'_>) -> io::Error {
        let _ = self.poll_send(context);
        tls_error(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        loop {
            match this.session.read(into) {
                // It comes again, when what was deciphered before it has been read.
                Err(error) if into.filled().len() == before => {
                    return Poll::Ready(Err(this.failed(error, context)));
                }
                _ => {}
            }
            if into.filled().len() > before || into.remaining() == 0 || this.session.peer_has_closed() {
                return Poll::Ready(Ok(()));
            }
            // An answer to what came, if there is one. Nobody has to wait for it.
            if let Poll::Ready(Err(error)) = this.poll_send(context) {
                return Poll::Ready(Err(error));
            }
            ready!(this.poll_receive(context, into.remaining()))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_send(context))?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = match this.session.write(bytes) {
            Ok(count) => count,
            Err(error) => return Poll::Ready(Err(this.failed(error, context))),
        };
        match this.poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // What the socket did not take goes out with the next write or flush.
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.session.close().map_err(tls_error)?;
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.socket).poll_shutdown(context)
    }
}

fn tls_error(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed the connection without saying so in TLS")
}
