//! The server's side of TLS.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};

use super::pem::{TlsError, pair_error, read_authorities, read_certificates, read_key};
use crate::config::TlsConfig;

/// Sessions kept for TLS 1.2 clients that know no tickets, each a few kilobytes. All others keep their session
/// themselves, in a ticket.
const STORED_SESSIONS: usize = 1024;

/// Reads the files of `tls` and builds what a listener needs.
///
/// With `client_ca` a client must show a certificate of one of those authorities. Sessions are resumed in TLS 1.2 and
/// 1.3, also with client certificates: the certificate travels inside the encrypted ticket, and a resumed connection
/// knows it. rustls does not look at its validity again, see [`check_validity`](super::expiry::check_validity). Each
/// call makes ticket keys of its own, so that a new configuration accepts no session of the one before.
pub fn server_config(tls: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = read_certificates(&tls.cert)?;
    let key = read_key(&tls.key)?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Setup)?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let authorities = Arc::new(read_authorities(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider)
                .build()
                .map_err(|error| TlsError::Certificate { path: path.clone(), reason: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_single_cert(chain, key).map_err(|error| pair_error(&tls.cert, &tls.key, error))?;
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
    config.session_storage = ServerSessionMemoryCache::new(STORED_SESSIONS);
    Ok(Arc::new(config))
}
