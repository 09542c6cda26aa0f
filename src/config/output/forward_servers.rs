//! Which servers an output of `type = "forward"` delivers to, and how it finds out whether they are there.

use std::fmt;
use std::time::Duration;

use crate::config::Secret;

/// The servers of one output. Loading makes sure that there is one in `servers` or that there is `srv`.
#[derive(Debug, Clone)]
pub struct ForwardPoolConfig {
    pub servers: Vec<ForwardServerConfig>,
    /// More servers, which the DNS names.
    pub srv: Option<SrvConfig>,
    /// How servers are asked whether they are there. Default: [`HeartbeatKind::Transport`].
    pub heartbeat: HeartbeatKind,
    /// Default: 1 s.
    pub heartbeat_interval: Duration,
    /// How unlikely the silence of a server must have become before it counts as down: this is the exponent of ten, so
    /// 16 means that it takes 37 s where heartbeats came every second. Default: 16.
    pub phi_threshold: f64,
    /// A server that was silent for this long is down in any case. Default: 60 s.
    pub hard_timeout: Duration,
    /// How long heartbeats must be good before a server that was down is used again; without heartbeats, after what
    /// time it is tried again. Default: 10 s.
    pub recover_wait: Duration,
    /// How long the addresses of a name are used before it is looked up again. Zero: for every connection.
    /// Default: 60 s.
    pub expire_dns_cache: Duration,
    /// Whether connections begin with each address of a name in turn, instead of always with the first. Default: false.
    pub dns_round_robin: bool,
}

/// One of `servers`, or what became of an SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForwardServerConfig {
    pub address: HostPort,
    /// What log lines and metrics call it. Default: the address.
    pub name: String,
    /// Its share of the chunks, relative to the others. Zero: none, except those in doubt. Default: 60.
    pub weight: u32,
    /// Used only while others are down. Default: false.
    pub standby: bool,
    /// The name that its certificate must carry. `None`: what the output's `tls` says, else the host.
    pub server_name: Option<String>,
    /// Its own, or that of the output. `None`: no handshake.
    pub shared_key: Option<Secret>,
    /// Name and password, for servers that ask for a user.
    pub user: Option<(String, Secret)>,
}

/// `srv = { … }`: servers by [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvConfig {
    /// Without the underscore. Default: `fluentd`.
    pub service: String,
    /// Without the underscore. Default: `tcp`.
    pub proto: String,
    pub host: String,
    /// How often it is looked up again. Default: 60 s.
    pub refresh: Duration,
    /// As in [`ForwardServerConfig`], for every server that is found.
    pub server_name: Option<String>,
    /// Its own, or that of the output. `None`: no handshake.
    pub shared_key: Option<Secret>,
    /// Name and password, for servers that ask for a user.
    pub user: Option<(String, Secret)>,
}

impl SrvConfig {
    /// What is looked up: `_fluentd._tcp.logs.example.com`.
    pub fn query(&self) -> String {
        format!("_{}._{}.{}", self.service, self.proto, self.host)
    }
}

/// `heartbeat`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// A TCP connection that is opened and closed, without TLS.
    Transport,
    /// A zero byte by UDP, answered by another, on the same port number.
    Udp,
    /// None: only deliveries tell.
    None,
}

/// A host, which is a name or an IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

impl HostPort {
    /// `host` without brackets around an IPv6 address.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// `name:port`, `192.0.2.7:port` or `[2001:db8::7]:port`; `None` for everything else, port 0 included.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        // `parse` would take a sign.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0)?;
        let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let valid = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host_name(host),
        };
        valid.then(|| Self::new(bracketed.unwrap_or(host), port))
    }

    /// Without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether the DNS could know this name: labels of letters, digits, `-` and `_`. An IPv4 address passes as well.
pub(crate) fn is_host_name(text: &str) -> bool {
    /// Bytes of a name and of a label, by RFC 1035.
    const MAX_NAME: usize = 253;
    const MAX_LABEL: usize = 63;
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= MAX_NAME
        && text.split('.').all(|label| {
            (1..=MAX_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for text in ["10.0.0.2:24224", "logs.example:1", "log_1.example.:65535", "[2001:db8::7]:24224"] {
            assert_eq!(HostPort::parse(text).map(|address| address.to_string()).as_deref(), Some(text));
        }
        assert_eq!(HostPort::parse("[::1]:24224"), Some(HostPort::new("::1", 24224)));
        for text in [
            "",
            ":24224",
            "logs.example",
            "logs.example:",
            "logs.example:0",
            "logs.example:65536",
            "logs.example:+1",
            "::1:24224",
            "[::1]",
            "[logs.example]:24224",
            "a..b:1",
            "logs example:1",
            "tcp://a:1",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_end_where_the_dns_ends_them() {
        assert!(is_host_name(&"a".repeat(63)) && !is_host_name(&"a".repeat(64)));
        let longest = format!("{}a", "a.".repeat(126));
        assert_eq!(longest.len(), 253);
        assert!(is_host_name(&longest) && !is_host_name(&format!("b{longest}")));
    }
}
