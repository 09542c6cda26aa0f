//! A server's side without a network and without a runtime.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use hikyaku::tls::server::stream::{self, TlsStream};
use rcgen::{CertificateParams, KeyPair};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::TLS13;
use rustls::{ClientConfig, PeerMisbehaved, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Client;

/// One server, with its clients' configurations by cipher suite.
pub(super) struct Config {
    server: Arc<ServerConfig>,
    clients: Arc<[Arc<ClientConfig>; 3]>,
}

/// With the record layer, and with rustls alone.
pub(super) fn configs() -> [&'static Config; 2] {
    static CONFIGS: LazyLock<[Config; 2]> = LazyLock::new(|| {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let suites = [
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ];
        let clients = Arc::new(suites.map(|suite| {
            let provider = CryptoProvider {
                cipher_suites: vec![suite],
                kx_groups: vec![kx_group::X25519],
                ..aws_lc_rs::default_provider()
            };
            let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[&TLS13])
                .unwrap()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            config.enable_secret_extraction = true;
            Arc::new(config)
        }));
        [true, false].map(|has_records| {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .unwrap();
            config.enable_secret_extraction = has_records;
            Config { server: Arc::new(config), clients: clients.clone() }
        })
    });
    CONFIGS.each_ref()
}

/// How the server's reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Open,
    Closed,
    Failed,
    /// Too much of what means nothing.
    TooMany,
}

pub(super) struct Server {
    stream: TlsStream<Socket>,
    bytes: Rc<RefCell<Bytes>>,
    read: Vec<u8>,
    end: End,
}

#[derive(Debug, Default)]
struct Bytes {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
}

#[derive(Debug)]
struct Socket(Rc<RefCell<Bytes>>);

impl Server {
    pub(super) fn shake_hands(config: &Config, suite: usize) -> (Self, Client) {
        let name = "localhost".try_into().unwrap();
        let mut client = UnbufferedClientConnection::new(config.clients[suite].clone(), name).unwrap();
        let bytes = Rc::new(RefCell::new(Bytes::default()));
        let mut accepting = pin!(stream::accept(config.server.clone(), Socket(bytes.clone())));
        let mut accepted = None;
        let (mut incoming, mut outgoing) = (Vec::new(), vec![0; 20_000]);
        let mut length = 0;
        loop {
            let UnbufferedStatus { discard, state } = client.process_tls_records(&mut incoming);
            let mut is_done = false;
            match state.unwrap() {
                ConnectionState::EncodeTlsData(mut data) => {
                    length += data.encode(&mut outgoing[length..]).unwrap();
                }
                ConnectionState::TransmitTlsData(data) => {
                    bytes.borrow_mut().to_server.extend(&outgoing[..std::mem::take(&mut length)]);
                    data.done();
                }
                ConnectionState::BlockedHandshake => {}
                ConnectionState::WriteTraffic(_) => is_done = true,
                state => panic!("{state:?}"),
            }
            incoming.drain(..discard);
            if accepted.is_none()
                && let Poll::Ready(result) = accepting.as_mut().poll(&mut context())
            {
                accepted = Some(result.map_err(|(error, _)| error).unwrap());
            }
            incoming.append(&mut bytes.borrow_mut().to_client);
            if is_done && incoming.is_empty() && accepted.is_some() {
                break;
            }
        }
        let stream = accepted.unwrap();
        (Self { stream, bytes, read: Vec::new(), end: End::Open }, Client::new(client))
    }

    /// Gets bytes, and reads all that is in them.
    pub(super) fn receive(&mut self, bytes: &[u8], part: usize) {
        self.bytes.borrow_mut().to_server.extend(bytes);
        let mut part = vec![0xee; part];
        while self.end == End::Open {
            let mut part = ReadBuf::new(&mut part);
            match Pin::new(&mut self.stream).poll_read(&mut context(), &mut part) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if part.filled().is_empty() => self.end = End::Closed,
                Poll::Ready(Ok(())) => self.read.extend(part.filled()),
                Poll::Ready(Err(error)) => self.end = end_of(error),
            }
        }
    }

    /// Whether that could be sent.
    pub(super) fn write(&mut self, mut content: &[u8]) -> bool {
        while !content.is_empty() {
            match Pin::new(&mut self.stream).poll_write(&mut context(), content) {
                Poll::Ready(Ok(count)) => content = &content[count..],
                Poll::Ready(Err(_)) => return false,
                Poll::Pending => panic!("the socket takes everything"),
            }
        }
        true
    }

    pub(super) fn close(&mut self) {
        let polled = Pin::new(&mut self.stream).poll_shutdown(&mut context());
        assert!(matches!(polled, Poll::Ready(Ok(()))), "{polled:?}");
    }

    pub(super) fn sent(&self) -> Vec<u8> {
        self.bytes.borrow().to_client.clone()
    }

    pub(super) fn end(self) -> (Vec<u8>, End) {
        (self.read, self.end)
    }
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn end_of(error: io::Error) -> End {
    let error = error.downcast::<rustls::Error>().unwrap();
    match error {
        rustls::Error::PeerMisbehaved(
            PeerMisbehaved::TooManyEmptyFragments | PeerMisbehaved::TooManyKeyUpdateRequests,
        ) => End::TooMany,
        _ => End::Failed,
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut bytes = self.0.borrow_mut();
        let count = into.remaining().min(bytes.to_server.len());
        if count == 0 {
            return Poll::Pending;
        }
        for byte in bytes.to_server.drain(..count) {
            into.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().to_client.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
