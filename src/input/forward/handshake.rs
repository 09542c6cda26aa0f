//! The shared key handshake over a stream.

use std::io;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::config::SecurityConfig;
use crate::wire::framing::Framer;
use crate::wire::handshake::{
    Accepted, Access, Denial, Denied, MAX_HANDSHAKE_MESSAGE, Salt, ServerHandshake,
};
use crate::wire::refusal::Refusal;

/// How much is read at once.
const READ_SIZE: usize = 1024;

/// A peer that may send, and what it has sent already behind its PING.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) host_name: String,
    pub(super) user: Option<String>,
    pub(super) already_read: BytesMut,
}

/// Why a peer may not send.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("it calls itself {host_name:?}: {reason}; {advice}", advice = advice(*.reason))]
    Denied { reason: Denial, host_name: String },
    #[error("it does not speak the handshake: {0}")]
    Refused(#[from] Refusal),
    #[error(
        "it closed the connection during the shared key handshake; its own log says why, often the key differs"
    )]
    Closed,
    #[error("the connection broke during the shared key handshake: {0}")]
    Network(#[from] io::Error),
}

impl HandshakeError {
    /// One word for metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Denied { reason, .. } => reason.label(),
            Self::Refused(_) => "handshake",
            Self::Closed => "closed",
            Self::Network(_) => "network",
        }
    }
}

fn advice(reason: Denial) -> &'static str {
    match reason {
        Denial::Shape | Denial::NameTooLong => "is it a forward client with a shared_key?",
        Denial::Anonymous => "add its address to security.clients, or set allow_anonymous_source",
        Denial::SharedKey => "give it the shared_key of this input (or of its entry in security.clients)",
        Denial::User => "give it a username and password of security.users that may come from its address",
    }
}

/// Greets a peer and judges its answer. Every message goes out in one write: Fluent Bit does not put parts together.
pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    address: Option<IpAddr>,
    config: &SecurityConfig,
) -> Result<Welcome, HandshakeError> {
    let client = address.and_then(|address| config.client(address));
    let may_try = client.is_some() || config.allow_anonymous_source;
    let shared_key = client.and_then(|client| client.shared_key.as_ref()).unwrap_or(&config.shared_key);
    let users: Vec<(String, String)> = (config.users.iter())
        .filter(|(name, _)| match client.and_then(|client| client.users.as_ref()) {
            Some(allowed) => allowed.contains(name),
            None => true,
        })
        .map(|(name, password)| (name.clone(), password.reveal().to_owned()))
        .collect();
    let asks_for_user = !config.users.is_empty();
    let access = Access {
        shared_key: may_try.then(|| shared_key.reveal().as_bytes()),
        users: asks_for_user.then_some(&users[..]),
    };
    let server = ServerHandshake::new(access, &config.self_hostname, random(), random());
    send(stream, &server.hello(config.keepalive)).await?;
    let (ping, already_read) = receive(stream).await?;
    match server.answer(&ping) {
        Ok(Accepted { host_name, user, pong }) => {
            send(stream, &pong).await?;
            Ok(Welcome { host_name, user, already_read })
        }
        Err(Denied { reason, host_name, pong }) => {
            send(stream, &pong).await?;
            Err(HandshakeError::Denied { reason, host_name })
        }
    }
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(Bytes, BytesMut), HandshakeError> {
    let mut framer = Framer::new(MAX_HANDSHAKE_MESSAGE).without_json();
    loop {
        if let Some(message) = framer.next_message()? {
            return Ok((message, std::mem::take(framer.buffer())));
        }
        framer.buffer().reserve(READ_SIZE);
        if stream.read_buf(framer.buffer()).await? == 0 {
            return Err(HandshakeError::Closed);
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> io::Result<()> {
    stream.write_all(message).await?;
    stream.flush().await
}

fn random() -> Salt {
    let mut salt = Salt::default();
    aws_lc_rs::rand::fill(&mut salt).expect("the operating system gives random bytes");
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_of_the_handshake_has_a_limit() {
        for (length, is_taken) in [(MAX_HANDSHAKE_MESSAGE, true), (MAX_HANDSHAKE_MESSAGE + 1, false)] {
            let mut message = b"\x91\xc5".to_vec();
            message.extend_from_slice(&(length as u16 - 4).to_be_bytes());
            message.resize(length, 0);
            let (mut server, mut peer) = tokio::io::duplex(2 * length);
            peer.write_all(&message).await.unwrap();
            match receive(&mut server).await {
                Ok((received, _)) => assert!(is_taken && received == message),
                Err(HandshakeError::Refused(Refusal::TooLarge { limit })) => {
                    assert!(!is_taken && limit == MAX_HANDSHAKE_MESSAGE);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
