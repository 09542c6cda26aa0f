//! The server's side.

use super::digest::{hex_digest, is_same};
use super::{MAX_NAME_LENGTH, Salt};
use crate::wire::msgpack::{
    MsgpackError, Token, read, write_array, write_bin, write_bool, write_map, write_str,
};

/// What a peer must know. The same for all peers of a network.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// `None`: nobody may connect from there.
    pub shared_key: Option<&'a [u8]>,
    /// Names and passwords of which the peer must know a pair; `None` where no user is asked for.
    pub users: Option<&'a [(String, String)]>,
}

/// A handshake under way: HELO is sent, PING is awaited.
#[derive(Debug)]
pub struct ServerHandshake<'a> {
    access: Access<'a>,
    server_name: &'a [u8],
    nonce: Salt,
    auth: Salt,
}

/// A peer that has proved that it knows what it must.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What the peer calls itself.
    pub host_name: String,
    /// Its user; `None` where none was asked for.
    pub user: Option<String>,
    /// The answer.
    pub pong: Vec<u8>,
}

/// A peer that has not, and the answer that tells it so.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied {
    pub reason: Denial,
    /// What the peer calls itself, as far as it could be read.
    pub host_name: String,
    pub pong: Vec<u8>,
}

/// Why a peer is turned away. The texts are Fluentd's where it has them, for they go to the peer's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    #[error("invalid ping message")]
    Shape,
    #[error("anonymous source host denied")]
    Anonymous,
    #[error("shared_key mismatch")]
    SharedKey,
    #[error("username/password mismatch")]
    User,
    #[error("host name or username is longer than {MAX_NAME_LENGTH} bytes")]
    NameTooLong,
}

impl Denial {
    /// One word for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Shape | Self::NameTooLong => "handshake",
            Self::Anonymous => "anonymous_source",
            Self::SharedKey => "shared_key",
            Self::User => "user",
        }
    }
}

impl<'a> ServerHandshake<'a> {
    /// `nonce` and `auth` are random, and new for every connection.
    pub fn new(access: Access<'a>, server_name: &'a str, nonce: Salt, auth: Salt) -> Self {
        Self { access, server_name: server_name.as_bytes(), nonce, auth }
    }

    /// The server's first message. `keepalive`: whether the peer may send more than one chunk over the connection.
    pub fn hello(&self, keepalive: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(80);
        write_array(&mut out, 2);
        write_str(&mut out, b"HELO");
        write_map(&mut out, 3);
        write_str(&mut out, b"nonce");
        write_bin(&mut out, &self.nonce);
        write_str(&mut out, b"auth");
        write_bin(&mut out, self.auth());
        write_str(&mut out, b"keepalive");
        write_bool(&mut out, keepalive);
        out
    }

    /// Judges the peer's answer, a whole message.
    pub fn answer(&self, ping: &[u8]) -> Result<Accepted, Denied> {
        let ping = match Ping::read(ping) {
            Ok(Some(ping)) => ping,
            Ok(None) | Err(_) => return Err(denied(Denial::Shape, b"")),
        };
        if ping.host_name.len() > MAX_NAME_LENGTH || ping.user.len() > MAX_NAME_LENGTH {
            return Err(denied(Denial::NameTooLong, b""));
        }
        let Some(key) = self.access.shared_key else {
            return Err(denied(Denial::Anonymous, ping.host_name));
        };
        if !is_same(ping.key_digest, &hex_digest(&[ping.salt, ping.host_name, &self.nonce, key])) {
            return Err(denied(Denial::SharedKey, ping.host_name));
        }
        if let Some(users) = self.access.users
            && !self.is_user(&ping, users)
        {
            return Err(denied(Denial::User, ping.host_name));
        }
        let digest = hex_digest(&[ping.salt, self.server_name, &self.nonce, key]);
        Ok(Accepted {
            host_name: text(ping.host_name),
            user: self.access.users.map(|_| text(ping.user)),
            pong: pong(true, b"", self.server_name, &digest),
        })
    }

    /// Looks at every user, so that the time does not tell which names there are.
    fn is_user(&self, ping: &Ping<'_>, users: &[(String, String)]) -> bool {
        users.iter().fold(false, |known, (name, password)| {
            let digest = hex_digest(&[&self.auth, name.as_bytes(), password.as_bytes()]);
            known | (is_same(ping.user, name.as_bytes()) & is_same(ping.password_digest, &digest))
        })
    }

    fn auth(&self) -> &[u8] {
        if self.access.users.is_some() { &self.auth } else { b"" }
    }
}

struct Ping<'a> {
    host_name: &'a [u8],
    salt: &'a [u8],
    key_digest: &'a [u8],
    user: &'a [u8],
    password_digest: &'a [u8],
}

impl<'a> Ping<'a> {
    /// `None`: well-formed, and no PING.
    fn read(bytes: &'a [u8]) -> Result<Option<Self>, MsgpackError> {
        let mut at = 0;
        if read(bytes, &mut at)? != Token::Array(6) {
            return Ok(None);
        }
        let mut texts = [&b""[..]; 6];
        for text in &mut texts {
            match read(bytes, &mut at)?.as_bytes() {
                Some(bytes) => *text = bytes,
                None => return Ok(None),
            }
        }
        let [b"PING", host_name, salt, key_digest, user, password_digest] = texts else { return Ok(None) };
        Ok(Some(Self { host_name, salt, key_digest, user, password_digest }))
    }
}

fn denied(reason: Denial, host_name: &[u8]) -> Denied {
    Denied { reason, host_name: text(host_name), pong: pong(false, reason.to_string().as_bytes(), b"", b"") }
}

fn pong(is_accepted: bool, reason: &[u8], server_name: &[u8], digest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + reason.len() + server_name.len() + digest.len());
    write_array(&mut out, 5);
    write_str(&mut out, b"PONG");
    write_bool(&mut out, is_accepted);
    write_str(&mut out, reason);
    write_str(&mut out, server_name);
    write_str(&mut out, digest);
    out
}

/// Names go into log lines and paths' values: what is no text is replaced, and control characters with it.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|character| if character.is_control() { char::REPLACEMENT_CHARACTER } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake::{ClientHandshake, Credentials};

    const NONCE: Salt = *b"0123456789abcdef";
    const AUTH: Salt = *b"fedcba9876543210";

    fn users() -> Vec<(String, String)> {
        vec![("other".into(), "word".into()), ("engine".into(), "pa55".into())]
    }

    fn handshake(users: Option<&[(String, String)]>) -> ServerHandshake<'_> {
        ServerHandshake::new(Access { shared_key: Some(b"sekrit"), users }, "logserver-1", NONCE, AUTH)
    }

    fn ping(server: &ServerHandshake<'_>, key: &str, user: &str, password: &str) -> Vec<u8> {
        let credentials =
            Credentials { self_hostname: "edge-1", shared_key: key.as_bytes(), username: user, password };
        ClientHandshake::new(credentials, [7; 16]).ping(&server.hello(true)).unwrap()
    }

    #[test]
    fn whoever_knows_the_key_is_let_in_under_its_name() {
        let server = handshake(None);
        let accepted = server.answer(&ping(&server, "sekrit", "", "")).unwrap();
        assert_eq!((accepted.host_name.as_str(), accepted.user), ("edge-1", None));
    }

    #[test]
    fn a_user_must_know_its_own_password() {
        let users = users();
        let server = handshake(Some(&users));
        let accepted = server.answer(&ping(&server, "sekrit", "engine", "pa55")).unwrap();
        assert_eq!(accepted.user.as_deref(), Some("engine"));
        for (user, password) in
            [("engine", "word"), ("other", "pa55"), ("engine", ""), ("", ""), ("nobody", "pa55")]
        {
            let denied = server.answer(&ping(&server, "sekrit", user, password)).unwrap_err();
            assert_eq!(denied.reason, Denial::User, "{user} {password}");
        }
    }

    #[test]
    fn a_wrong_key_is_told_and_named() {
        let server = handshake(None);
        let denied = server.answer(&ping(&server, "secret", "", "")).unwrap_err();
        assert_eq!((denied.reason, denied.host_name.as_str()), (Denial::SharedKey, "edge-1"));
        assert_eq!(denied.pong, b"\x95\xa4PONG\xc2\xb3shared_key mismatch\xa0\xa0");
    }

    #[test]
    fn a_network_without_a_key_is_denied() {
        let access = Access { shared_key: None, users: None };
        let server = ServerHandshake::new(access, "logserver-1", NONCE, AUTH);
        assert_eq!(server.answer(&ping(&server, "", "", "")).unwrap_err().reason, Denial::Anonymous);
    }

    #[test]
    fn what_is_no_ping_is_denied() {
        let server = handshake(None);
        for message in [
            &b"\xc0"[..],
            b"\x90",
            b"\x96\xa4PING",
            b"\x96\xa4PONG\xa0\xa0\xa0\xa0\xa0",
            b"\x96\xa4PING\x01\xa0\xa0\xa0\xa0",
        ] {
            assert_eq!(server.answer(message).unwrap_err().reason, Denial::Shape, "{message:x?}");
        }
    }

    #[test]
    fn names_are_limited_at_their_edge_and_harmless_in_a_log() {
        let message = |host: &[u8]| {
            let digest = hex_digest(&[b"salt", host, &NONCE, b"sekrit"]);
            let mut out = Vec::new();
            write_array(&mut out, 6);
            for part in [b"PING", host, b"salt", &digest, b"", b""] {
                write_str(&mut out, part);
            }
            out
        };
        let server = handshake(None);
        assert!(server.answer(&message(&[b'x'; MAX_NAME_LENGTH])).is_ok());
        let denied = server.answer(&message(&[b'x'; MAX_NAME_LENGTH + 1])).unwrap_err();
        assert_eq!(denied.reason, Denial::NameTooLong);
        assert_eq!(server.answer(&message(b"a\n\xff")).unwrap().host_name, "a\u{fffd}\u{fffd}");
    }
}
