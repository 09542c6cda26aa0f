//! The client's side of TLS, for `hikyaku send`.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};

use super::pem::{TlsError, pair_error, read_authorities, read_certificates, read_key};

/// What a client shows of itself: its certificate (chain included) and key, both PEM files.
#[derive(Debug, Clone, Copy)]
pub struct ClientIdentity<'a> {
    pub cert: &'a Path,
    pub key: &'a Path,
}

/// Trusts the authorities in the PEM file `ca`, and no others.
pub fn client_config(ca: &Path, identity: Option<ClientIdentity<'_>>) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Setup)?
        .with_root_certificates(read_authorities(ca)?);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(ClientIdentity { cert, key }) => builder
            .with_client_auth_cert(read_certificates(cert)?, read_key(key)?)
            .map_err(|error| pair_error(cert, key, error))?,
    };
    Ok(Arc::new(config))
}
