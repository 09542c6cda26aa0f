//! `security = { … }` of an input: the shared key handshake, named after Fluentd's section.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Secret;

/// What peers must know before they may send.
#[derive(Debug, Clone)]
pub struct SecurityConfig {
    /// What the server calls itself. Default: `name` of `[server]`.
    pub self_hostname: String,
    pub shared_key: Secret,
    /// Users and their passwords; empty where no user is asked for. Default: empty.
    pub users: Vec<(String, Secret)>,
    /// Whether a peer from none of `clients` may try the shared key. Default: true.
    pub allow_anonymous_source: bool,
    /// Whether peers may send more than one chunk over a connection. Default: true.
    pub keepalive: bool,
    /// Peers with a key or users of their own; the first one that fits counts.
    pub clients: Vec<SecurityClient>,
}

/// One of `clients`.
#[derive(Debug, Clone)]
pub struct SecurityClient {
    pub network: IpNet,
    /// `None`: that of all.
    pub shared_key: Option<Secret>,
    /// The users that may come from there; `None`: all.
    pub users: Option<Vec<String>>,
}

impl SecurityConfig {
    /// The entry of `clients` that counts for an address.
    pub fn client(&self, address: IpAddr) -> Option<&SecurityClient> {
        let address = address.to_canonical();
        self.clients.iter().find(|client| client.network.contains(&address))
    }
}
