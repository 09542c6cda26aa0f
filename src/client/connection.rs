//! Reaching a server.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::handshake::{HandshakeError, shake_hands};
use crate::config::Secret;
use crate::wire::handshake::Credentials;

/// What stands before the path of a Unix socket.
pub const UNIX: &str = "unix:";

/// Where a server listens, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `host:port`; the name is looked up anew for every connection. Or `unix:` and the path of a socket.
    pub address: String,
    /// `None`: plain TCP. Never used on a Unix socket.
    pub tls: Option<EndpointTls>,
    /// `None`: no handshake with a shared key.
    pub handshake: Option<EndpointHandshake>,
}

/// What an [`Endpoint`] asks for before the first message.
#[derive(Debug, Clone)]
pub struct EndpointHandshake {
    /// What this client calls itself; a server of the same name is refused.
    pub self_hostname: String,
    pub shared_key: Secret,
    /// Name and password, for servers that ask for a user.
    pub user: Option<(String, Secret)>,
}

/// A server is not reached, or does not want to be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Trying again may help.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Trying again does not help.
    #[error(transparent)]
    Handshake(HandshakeError),
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Io(error) => Self::Io(error),
            error => Self::Handshake(error),
        }
    }
}

/// The TLS side of an [`Endpoint`].
#[derive(Debug, Clone)]
pub struct EndpointTls {
    pub config: Arc<rustls::ClientConfig>,
    /// The name that the server's certificate must carry.
    pub server_name: ServerName<'static>,
}

/// A connection to a server.
pub type Stream = Box<dyn Duplex>;

/// What can be read from and written to.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Endpoint {
    /// Opens a connection, with all handshakes done.
    pub async fn connect(&self) -> Result<Stream, ConnectError> {
        let mut stream = self.open().await?;
        if let Some(EndpointHandshake { self_hostname, shared_key, user }) = &self.handshake {
            let (username, password) =
                user.as_ref().map_or(("", ""), |(name, password)| (name.as_str(), password.reveal()));
            let shared_key = shared_key.reveal().as_bytes();
            shake_hands(&mut stream, Credentials { self_hostname, shared_key, username, password }).await?;
        }
        Ok(stream)
    }

    async fn open(&self) -> io::Result<Stream> {
        if let Some(path) = self.address.strip_prefix(UNIX) {
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        secure(stream, self.tls.as_ref()).await
    }
}

/// Does the TLS handshake over a connection, where there is to be one.
pub async fn secure(stream: TcpStream, tls: Option<&EndpointTls>) -> io::Result<Stream> {
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => {
            let connector = TlsConnector::from(Arc::clone(&tls.config));
            Box::new(connector.connect(tls.server_name.clone(), stream).await?)
        }
    })
}
