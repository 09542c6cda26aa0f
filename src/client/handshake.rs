//! The handshake with a shared key, over a connection.

use std::io;

use aws_lc_rs::rand;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::handshake::{
    ClientHandshake, ClientHandshakeError, Credentials, MAX_HANDSHAKE_MESSAGE, SALT_LENGTH,
};
use crate::wire::msgpack::{ScanError, Scanner};

/// A connection on which no handshake came about.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error(transparent)]
    Refused(#[from] ClientHandshakeError),
    #[error(
        "the server closed the connection during the handshake; some servers do so without a word where the shared \
         keys differ"
    )]
    Closed,
    #[error(
        "the server's handshake is longer than {MAX_HANDSHAKE_MESSAGE} bytes; does a forward input listen there?"
    )]
    TooLong,
    #[error("the server sent more than the handshake; does a forward input listen there?")]
    Surplus,
    #[error("this system gives no random numbers")]
    Random,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Proves to the server that both know the key, and has it prove the same. It takes as long as the server takes.
pub async fn shake_hands(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    credentials: Credentials<'_>,
) -> Result<(), HandshakeError> {
    let mut salt = [0; SALT_LENGTH];
    rand::fill(&mut salt).map_err(|_| HandshakeError::Random)?;
    let mut handshake = ClientHandshake::new(credentials, salt);
    let mut buffer = BytesMut::new();
    let hello = read_message(stream, &mut buffer).await?;
    let ping = handshake.ping(&hello)?;
    stream.write_all(&ping).await?;
    stream.flush().await?;
    let pong = read_message(stream, &mut buffer).await?;
    handshake.judge(&pong)?;
    if buffer.is_empty() { Ok(()) } else { Err(HandshakeError::Surplus) }
}

async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<BytesMut, HandshakeError> {
    let mut scanner = Scanner::new(MAX_HANDSHAKE_MESSAGE);
    loop {
        match scanner.advance(buffer) {
            Ok(Some(length)) => return Ok(buffer.split_to(length)),
            Ok(None) => {}
            Err(ScanError::TooLarge) => return Err(HandshakeError::TooLong),
            Err(ScanError::Msgpack(error)) => return Err(ClientHandshakeError::from(error).into()),
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(HandshakeError::Closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake::{Access, ServerHandshake};

    const CREDENTIALS: Credentials<'static> =
        Credentials { self_hostname: "edge-1", shared_key: b"sekrit", username: "", password: "" };

    /// What the client makes of a server that says this and closes.
    async fn against(bytes: &[u8]) -> HandshakeError {
        let (mut client, mut server) = tokio::io::duplex(64 * 1024);
        server.write_all(bytes).await.unwrap();
        server.shutdown().await.unwrap();
        shake_hands(&mut client, CREDENTIALS).await.unwrap_err()
    }

    #[tokio::test]
    async fn the_handshake_works_a_byte_at_a_time() {
        let (mut client, mut server) = tokio::io::duplex(1);
        let answers = async {
            let access = Access { shared_key: Some(b"sekrit"), users: None };
            let handshake = ServerHandshake::new(access, "logserver-1", [1; 16], [2; 16]);
            server.write_all(&handshake.hello(true)).await.unwrap();
            let ping = read_message(&mut server, &mut BytesMut::new()).await.unwrap();
            server.write_all(&handshake.answer(&ping).unwrap().pong).await.unwrap();
        };
        let (shaken, ()) = tokio::join!(shake_hands(&mut client, CREDENTIALS), answers);
        shaken.unwrap();
    }

    #[tokio::test]
    async fn servers_that_speak_something_else_are_told_apart() {
        assert!(matches!(against(b"").await, HandshakeError::Closed));
        assert!(matches!(
            against(b"HTTP/1.1 400").await,
            HandshakeError::Refused(ClientHandshakeError::Shape)
        ));
        assert!(matches!(against(b"\xc1").await, HandshakeError::Refused(ClientHandshakeError::Msgpack(_))));
        for (length, is_too_long) in [(MAX_HANDSHAKE_MESSAGE - 3, false), (MAX_HANDSHAKE_MESSAGE - 2, true)] {
            let text = [&[0xda][..], &(length as u16).to_be_bytes(), &vec![b'x'; length]].concat();
            let error = against(&text).await;
            assert_eq!(matches!(error, HandshakeError::TooLong), is_too_long, "{length}: {error}");
        }
    }
}
