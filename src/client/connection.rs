//! Reaching a server.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// What stands before the path of a Unix socket.
pub const UNIX: &str = "unix:";

/// Where a server listens, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `host:port`; the name is looked up anew for every connection. Or `unix:` and the path of a socket.
    pub address: String,
    /// `None`: plain TCP. Never used on a Unix socket.
    pub tls: Option<EndpointTls>,
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
    /// Opens a connection, with the TLS handshake done.
    pub async fn connect(&self) -> io::Result<Stream> {
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
