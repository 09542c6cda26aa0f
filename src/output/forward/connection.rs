//! A connection to one server, which carries one message at a time.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};

use super::message::Message;
use super::pool::Target;
use crate::client::connection::{EndpointTls, Stream, secure};
use crate::client::handshake::{HandshakeError, shake_hands};
use crate::tls::client::ReloadingClientConfig;
use crate::wire::client::{AckError, AckReader};
use crate::wire::handshake::Credentials;

/// How much is read of a server's answers at once.
const ANSWER_BUFFER: usize = 512;

/// A name may stand for several addresses, and the first may be dead: each gets this part of `connect_timeout`.
const ADDRESSES_IN_TIME: u32 = 3;

/// What a server gets to say why it went away, and to read what is left when we go.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Opens connections.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) tls: Option<ConnectorTls>,
    /// What this client calls itself in a handshake.
    pub(super) self_hostname: String,
    pub(super) connect_timeout: Duration,
    pub(super) send_timeout: Duration,
    pub(super) ack_timeout: Duration,
}

/// The TLS side of a [`Connector`].
#[derive(Debug)]
pub(super) struct ConnectorTls {
    pub(super) config: Arc<ReloadingClientConfig>,
    /// The name that the certificates of servers without a name of their own carry; `None`: the host of the address.
    pub(super) server_name: Option<String>,
}

/// Why a server can't be used, or what went wrong with a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error("cannot connect: {0}")]
    Connect(io::Error),
    #[error("{0:?} is no name that a certificate could carry; say which with server_name in tls")]
    ServerName(String),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("it was not reached within connect_timeout, TLS and the handshake included")]
    ConnectTimeout,
    #[error("it did not take a whole message within send_timeout")]
    SendTimeout,
    #[error("it did not acknowledge a message within ack_timeout")]
    AckTimeout,
    #[error(
        "it refused this client's certificate: {0}; see the server's log, its client authorities and the dates"
    )]
    CertificateRefused(io::Error),
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    #[error("it closed the connection without an acknowledgement")]
    Closed,
    #[error(transparent)]
    Answer(#[from] AckError),
    #[error(
        "it acknowledged another message than the one it was sent; something between may mix up connections"
    )]
    WrongAck,
}

impl ConnectionError {
    /// Whether the connection came to an end, and another one to the same server may do.
    pub(super) fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Closed)
    }

    /// Whether the server can have nothing of the message, although it was sent.
    pub(super) fn proves_nothing_arrived(&self) -> bool {
        matches!(self, Self::CertificateRefused(_))
    }
}

impl Connector {
    /// A connection over which messages can be sent.
    pub(super) async fn open(&self, target: &Target) -> Result<Connection, ConnectionError> {
        timeout(self.connect_timeout, self.set_up(target))
            .await
            .unwrap_or(Err(ConnectionError::ConnectTimeout))
    }

    async fn set_up(&self, target: &Target) -> Result<Connection, ConnectionError> {
        let tls = self.tls.as_ref().map(|tls| tls.of(target)).transpose()?;
        let stream = target.connect(self.connect_timeout / ADDRESSES_IN_TIME).await;
        let stream = stream.map_err(ConnectionError::Connect)?;
        let mut stream = secure(stream, tls.as_ref()).await.map_err(ConnectionError::Connect)?;
        if let Some(shared_key) = &target.shared_key {
            let (username, password) =
                target.user.as_ref().map_or(("", ""), |(name, password)| (name.as_str(), password.reveal()));
            let self_hostname = &self.self_hostname;
            let shared_key = shared_key.reveal().as_bytes();
            shake_hands(&mut stream, Credentials { self_hostname, shared_key, username, password }).await?;
        }
        Ok(Connection {
            stream,
            acks: AckReader::default(),
            opened: Instant::now(),
            has_delivered: false,
            has_unacknowledged: false,
            send_timeout: self.send_timeout,
            ack_timeout: self.ack_timeout,
        })
    }
}

impl ConnectorTls {
    fn of(&self, target: &Target) -> Result<EndpointTls, ConnectionError> {
        let name = target.server_name.as_ref().or(self.server_name.as_ref());
        let name = name.map_or(target.address.host(), String::as_str).to_owned();
        let server_name = name.clone().try_into().map_err(|_| ConnectionError::ServerName(name))?;
        Ok(EndpointTls { config: self.config.current(), server_name })
    }
}

/// An open connection on which nothing is under way.
pub(super) struct Connection {
    stream: Stream,
    acks: AckReader,
    opened: Instant,
    /// Whether the server has acknowledged anything on it.
    has_delivered: bool,
    /// Whether something was sent that asks for no acknowledgement.
    has_unacknowledged: bool,
    send_timeout: Duration,
    ack_timeout: Duration,
}

impl Connection {
    /// Sends a message, and waits for its acknowledgement if it asks for one. After an error the connection is of no use,
    /// and the message may have arrived.
    pub(super) async fn deliver(&mut self, message: &Message) -> Result<(), ConnectionError> {
        let sent = timeout(self.send_timeout, self.write(message)).await;
        match sent.unwrap_or(Err(ConnectionError::SendTimeout)) {
            Ok(()) => {}
            Err(ConnectionError::Lost(error)) => return Err(self.last_words(error).await),
            Err(error) => return Err(error),
        }
        if let Some(id) = &message.id {
            let ack = timeout(self.ack_timeout, self.next_ack()).await;
            if ack.unwrap_or(Err(ConnectionError::AckTimeout))? != *id {
                return Err(ConnectionError::WrongAck);
            }
            self.has_delivered = true;
        } else {
            self.has_unacknowledged = true;
        }
        Ok(())
    }

    /// How long ago it was opened.
    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Whether the server has left it open and said nothing: anything else, between two messages, ends it.
    pub(super) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0; 1];
        let mut stream = Pin::new(&mut self.stream);
        poll_fn(|context| {
            let read = stream.as_mut().poll_read(context, &mut ReadBuf::new(&mut byte));
            Poll::Ready(read.is_pending())
        })
        .await
    }

    /// Closes in order. Without acknowledgements, that the server closes too is the only sign that it has read
    /// everything; a connection that is dropped with something unread can take away what was sent before.
    pub(super) async fn close(mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        let shut = timeout_at(deadline, self.stream.shutdown()).await;
        if self.has_unacknowledged && matches!(shut, Ok(Ok(()))) {
            let mut rest = [0; ANSWER_BUFFER];
            // However the server ends it, there is nothing to be done about it.
            while let Ok(Ok(1..)) = timeout_at(deadline, self.stream.read(&mut rest)).await {}
        }
    }

    async fn write(&mut self, message: &Message) -> Result<(), ConnectionError> {
        let mut bytes = message.bytes();
        while bytes.has_remaining() {
            self.stream.write_buf(&mut bytes).await.map_err(ConnectionError::Lost)?;
        }
        self.stream.flush().await.map_err(ConnectionError::Lost)
    }

    async fn next_ack(&mut self) -> Result<Bytes, ConnectionError> {
        loop {
            if let Some(id) = self.acks.next_ack()? {
                return Ok(id);
            }
            self.acks.buffer().reserve(ANSWER_BUFFER);
            match self.stream.read_buf(self.acks.buffer()).await {
                Ok(0) => return Err(ConnectionError::Closed),
                Ok(_) => {}
                Err(error) => return Err(self.lost(error)),
            }
        }
    }

    /// A server that goes away while it is written to may have said why.
    async fn last_words(&mut self, error: io::Error) -> ConnectionError {
        let mut rest = [0; ANSWER_BUFFER];
        match timeout(LAST_WORDS, self.stream.read(&mut rest)).await {
            Ok(Err(reason)) if is_certificate_alert(&reason) => self.lost(reason),
            _ => self.lost(error),
        }
    }

    /// With TLS 1.3 a server judges the client's certificate when the client believes to be connected already.
    fn lost(&self, error: io::Error) -> ConnectionError {
        if !self.has_delivered && is_certificate_alert(&error) {
            ConnectionError::CertificateRefused(error)
        } else {
            ConnectionError::Lost(error)
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("opened", &self.opened).finish_non_exhaustive()
    }
}

/// Whether the server ended the TLS handshake because of what the client showed.
fn is_certificate_alert(error: &io::Error) -> bool {
    use AlertDescription as Alert;
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(
        inner,
        Some(rustls::Error::AlertReceived(
            Alert::BadCertificate
                | Alert::UnsupportedCertificate
                | Alert::CertificateRevoked
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRequired
                | Alert::UnknownCA
                | Alert::AccessDenied
                | Alert::DecryptError
        ))
    )
}
