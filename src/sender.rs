//! Who is speaking: the identity that dedup, ownership, metrics and log lines go by.

use std::net::IpAddr;

/// The peer of a connection, as far as it could prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sender {
    /// The stable name: subject and alternative names of the client certificate (the same after a renewal),
    /// else user and host name of the shared key handshake, else the address without its port (the same after a
    /// reconnect), else the user of a process on a Unix socket.
    pub identity: String,
    /// Where the connection came from; `None` of a Unix socket.
    pub address: Option<IpAddr>,
    /// What the client certificate says; `None` on a connection without one.
    pub certificate: Option<SenderCertificate>,
    /// The name of the peer's host: what it called itself in the shared key handshake, else what its address
    /// resolves to where the input looks that up.
    pub host_name: Option<String>,
    /// The user of the shared key handshake.
    pub user: Option<String>,
}

/// The parts of a client certificate that filters and log lines use.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SenderCertificate {
    /// The subject as RFC 4514 writes it: `CN=engine-1,O=Example`.
    pub subject: String,
    /// Alternative names with their kind: `DNS:engine-1.example.com`, `IP:192.0.2.7`, `URI:spiffe://…`.
    pub alternative_names: Vec<String>,
    /// SHA-256 over the certificate, lowercase hex.
    pub fingerprint: String,
}

impl Sender {
    /// A peer that showed no certificate.
    pub fn from_address(address: IpAddr) -> Self {
        Self {
            identity: address.to_canonical().to_string(),
            address: Some(address.to_canonical()),
            certificate: None,
            host_name: None,
            user: None,
        }
    }

    /// This peer after the shared key handshake, in which it named itself and perhaps proved to be a user. Without a
    /// certificate that is who it is; whoever has the key can take any name.
    pub fn named(self, host_name: String, user: Option<String>) -> Self {
        let identity = match (&self.certificate, &user) {
            (Some(_), _) => self.identity,
            (None, Some(user)) => format!("user={user};host={host_name}"),
            (None, None) => format!("host={host_name}"),
        };
        Self { identity, host_name: Some(host_name), user, ..self }
    }

    /// A process of this machine, on a Unix socket, by the user that it runs as.
    pub fn from_user(uid: u32) -> Self {
        Self {
            identity: format!("unix:uid={uid}"),
            address: None,
            certificate: None,
            host_name: None,
            user: None,
        }
    }

    /// A peer that showed a certificate which the configured authority vouches for.
    pub fn from_certificate(address: IpAddr, certificate: SenderCertificate) -> Self {
        let mut identity = certificate.subject.clone();
        for name in &certificate.alternative_names {
            identity.push(';');
            identity.push_str(name);
        }
        Self {
            identity,
            address: Some(address.to_canonical()),
            certificate: Some(certificate),
            host_name: None,
            user: None,
        }
    }
}
