//! `hikyaku run --dev`: everything that a first try needs, made on the spot.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{Config, ConfigErrors};
use crate::server::Addresses;
use crate::tls::generate::{CertificateRequest, DEFAULT_DAYS, GenerateError, generate};

/// Where the certificates are made, as the development configuration names them.
const CERTS: &str = "certs";
/// The client that certificates are made for.
const CLIENT: &str = "client";

/// A first try can't begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum DevError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

/// Makes certificates where there are none, and gives the configuration.
pub(super) fn prepare() -> Result<Config, DevError> {
    let config = Config::development()?;
    generate(&CertificateRequest {
        directory: PathBuf::from(CERTS),
        clients: vec![CLIENT.to_owned()],
        server_names: Vec::new(),
        days: DEFAULT_DAYS,
        force: false,
    })?;
    Ok(config)
}

/// Says what to type next: to standard error, so that standard output is the log alone.
pub(super) fn say_what_to_type_next(addresses: &Addresses) {
    let input = addresses
        .inputs
        .first()
        .and_then(|(_, address)| address.tcp())
        .map_or_else(String::new, |address| format!("localhost:{}", address.port()));
    let url = |address: Option<std::net::SocketAddr>, path: &str| {
        address.map_or_else(|| "switched off".to_owned(), |address| format!("http://{address}{path}"))
    };
    let program = std::env::args().next().unwrap_or_else(|| "hikyaku".to_owned());
    let text = format!(
        r#"
hikyaku is ready. In another terminal, in this folder:

  echo '{{"customer_name":"acme","fqdn":"www.example.com","request":"GET / HTTP/1.1","status":200}}' |
    {program} send nginx.access --server {input}

A second later the event is in data/archive/acme/nginx/www.example.com/<year>/<month>/<day>/<hour>.log.gz:

  zcat data/archive/acme/nginx/www.example.com/*/*/*/*.log.gz

  health   {health}      metrics  {metrics}
  plugins  {monitor_agent}

Ctrl-C stops.
"#,
        health = url(addresses.health, "/health"),
        metrics = url(addresses.metrics, "/metrics"),
        monitor_agent = url(addresses.monitor_agent, "/api/plugins.json"),
    );
    // A closed terminal must not end the server.
    let _ = io::stderr().write_all(text.as_bytes());
}
