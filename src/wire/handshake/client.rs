//! The client's side.

use super::Salt;
use super::digest::{hex, hex_digest, is_same};
use crate::wire::msgpack::{MsgpackError, Token, read, skip, write_array, write_str};

/// What a client knows and calls itself.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The name of this host. A server of the same name is refused: it would be this one.
    pub self_hostname: &'a str,
    pub shared_key: &'a [u8],
    /// Sent where the server asks for a user; empty where there is none.
    pub username: &'a str,
    pub password: &'a str,
}

/// A handshake under way: HELO is awaited, then PONG.
#[derive(Debug)]
pub struct ClientHandshake<'a> {
    credentials: Credentials<'a>,
    /// In hexadecimal, so that it is text for every server.
    salt: Vec<u8>,
    nonce: Vec<u8>,
}

/// A server that is not to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientHandshakeError {
    #[error("the server's handshake is no msgpack: {0}; does a forward input listen there?")]
    Msgpack(#[from] MsgpackError),
    #[error(
        "the server's handshake has not the shape of one; does a forward input with a shared key listen there?"
    )]
    Shape,
    #[error("the server turned this client away: {0}; check shared_key, username and password on both sides")]
    Denied(String),
    #[error(
        "the server calls itself {0}, as this client does; it would send to itself, or one of them needs another name"
    )]
    OwnName(String),
    #[error("the server does not know the shared key: somebody else may answer at its address")]
    Impostor,
}

impl<'a> ClientHandshake<'a> {
    /// `salt` is random, and new for every connection.
    pub fn new(credentials: Credentials<'a>, salt: Salt) -> Self {
        Self { credentials, salt: hex(&salt), nonce: Vec::new() }
    }

    /// The answer to the server's first message, a whole one.
    pub fn ping(&mut self, hello: &[u8]) -> Result<Vec<u8>, ClientHandshakeError> {
        let (nonce, auth) = read_hello(hello)?;
        let Credentials { self_hostname, shared_key, username, password } = self.credentials;
        let key_digest = hex_digest(&[&self.salt, self_hostname.as_bytes(), nonce, shared_key]);
        let password_digest = match auth {
            b"" => Vec::new(),
            auth => hex_digest(&[auth, username.as_bytes(), password.as_bytes()]),
        };
        let username = if auth.is_empty() { "" } else { username };
        self.nonce = nonce.to_vec();
        let mut out = Vec::with_capacity(400);
        write_array(&mut out, 6);
        for part in [
            b"PING",
            self_hostname.as_bytes(),
            &self.salt,
            &key_digest,
            username.as_bytes(),
            &password_digest,
        ] {
            write_str(&mut out, part);
        }
        Ok(out)
    }

    /// Judges the server's last word, a whole message. `Ok`: messages may follow.
    pub fn judge(&self, pong: &[u8]) -> Result<(), ClientHandshakeError> {
        let mut at = 0;
        if read(pong, &mut at)? != Token::Array(5) || read(pong, &mut at)?.as_bytes() != Some(b"PONG") {
            return Err(ClientHandshakeError::Shape);
        }
        let Token::Bool(is_accepted) = read(pong, &mut at)? else { return Err(ClientHandshakeError::Shape) };
        let mut texts = [&b""[..]; 3];
        for text in &mut texts {
            *text = read(pong, &mut at)?.as_bytes().ok_or(ClientHandshakeError::Shape)?;
        }
        let [reason, server_name, digest] = texts;
        if !is_accepted {
            return Err(ClientHandshakeError::Denied(
                String::from_utf8_lossy(reason).escape_default().to_string(),
            ));
        }
        let Credentials { self_hostname, shared_key, .. } = self.credentials;
        if server_name == self_hostname.as_bytes() {
            return Err(ClientHandshakeError::OwnName(self_hostname.to_owned()));
        }
        if !is_same(digest, &hex_digest(&[&self.salt, server_name, &self.nonce, shared_key])) {
            return Err(ClientHandshakeError::Impostor);
        }
        Ok(())
    }
}

/// Nonce and auth of a HELO.
fn read_hello(hello: &[u8]) -> Result<(&[u8], &[u8]), ClientHandshakeError> {
    let mut at = 0;
    if read(hello, &mut at)? != Token::Array(2) || read(hello, &mut at)?.as_bytes() != Some(b"HELO") {
        return Err(ClientHandshakeError::Shape);
    }
    let Token::Map(pairs) = read(hello, &mut at)? else { return Err(ClientHandshakeError::Shape) };
    let (mut nonce, mut auth) = (None, &b""[..]);
    for _ in 0..pairs {
        let key_end = skip(hello, at)?;
        let key = read(hello, &mut at)?;
        at = key_end;
        let value_end = skip(hello, at)?;
        let value = read(hello, &mut at)?;
        at = value_end;
        match key.as_bytes() {
            Some(b"nonce") => nonce = value.as_bytes(),
            Some(b"auth") => auth = value.as_bytes().unwrap_or_default(),
            // `keepalive` is Fluentd's wish for one chunk a connection; a server that means it closes the connection.
            _ => {}
        }
    }
    Ok((nonce.ok_or(ClientHandshakeError::Shape)?, auth))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake::{Access, ServerHandshake};

    fn client(self_hostname: &str) -> ClientHandshake<'_> {
        let credentials =
            Credentials { self_hostname, shared_key: b"sekrit", username: "engine", password: "pa55" };
        ClientHandshake::new(credentials, [7; 16])
    }

    fn server(key: &[u8]) -> ServerHandshake<'_> {
        ServerHandshake::new(Access { shared_key: Some(key), users: None }, "logserver-1", [1; 16], [2; 16])
    }

    #[test]
    fn both_sides_prove_that_they_know_the_key() {
        let (mut client, server) = (client("edge-1"), server(b"sekrit"));
        let ping = client.ping(&server.hello(true)).unwrap();
        assert_eq!(client.judge(&server.answer(&ping).unwrap().pong), Ok(()));
    }

    #[test]
    fn a_server_that_says_why_is_quoted() {
        let (mut client, server) = (client("edge-1"), server(b"other"));
        let ping = client.ping(&server.hello(true)).unwrap();
        let pong = server.answer(&ping).unwrap_err().pong;
        assert_eq!(client.judge(&pong), Err(ClientHandshakeError::Denied("shared_key mismatch".into())));
    }

    #[test]
    fn a_server_that_does_not_know_the_key_is_an_impostor() {
        let mut client = client("edge-1");
        client.ping(&server(b"sekrit").hello(true)).unwrap();
        let pong = [&b"\x95\xa4PONG\xc3\xa0\xabsomebody-el\xd9\x80"[..], &[b'0'; 128]].concat();
        assert_eq!(client.judge(&pong), Err(ClientHandshakeError::Impostor));
    }

    #[test]
    fn a_server_of_the_own_name_is_refused() {
        let (mut client, server) = (client("logserver-1"), server(b"sekrit"));
        let ping = client.ping(&server.hello(true)).unwrap();
        let pong = server.answer(&ping).unwrap().pong;
        assert_eq!(client.judge(&pong), Err(ClientHandshakeError::OwnName("logserver-1".into())));
    }

    #[test]
    fn what_is_no_handshake_is_an_error() {
        let mut client = client("edge-1");
        for hello in [
            &b"\x81\xa3ack\xa1x"[..],
            b"\x92\xa4HELO\x80",
            b"\x92\xa4HELO\xc0",
            b"\x92\xa4HELO",
            b"",
            b"\xc1",
        ] {
            client.ping(hello).unwrap_err();
            client.judge(hello).unwrap_err();
        }
    }
}
