//! The client's side of TLS: for `hikyaku send`, and for outputs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};

use super::aging::{Expiry, Kind};
use super::contents::Contents;
use super::pem::{self, TlsError, pair_error};
use super::reload::{Current, Loaded, Reloading, Source};
use crate::config::CertificatePair;

/// What a client shows of itself: its certificate (chain included) and key, both PEM files.
#[derive(Debug, Clone, Copy)]
pub struct ClientIdentity<'a> {
    pub cert: &'a Path,
    pub key: &'a Path,
}

/// Trusts the authorities in the PEM file `ca`, and no others.
pub fn client_config(ca: &Path, identity: Option<ClientIdentity<'_>>) -> Result<Arc<ClientConfig>, TlsError> {
    let files = ClientFiles {
        ca: vec![ca.to_owned()],
        identity: identity.map(|ClientIdentity { cert, key }| CertificatePair {
            cert: cert.to_owned(),
            key: key.to_owned(),
        }),
        reload_interval: Duration::ZERO,
    };
    Ok(files.load(&Contents::read(files.paths()), None)?.config)
}

/// The configuration of a client, which follows its files.
pub type ReloadingClientConfig = Reloading<ClientFiles>;

/// The files of a client.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// PEM files with the authorities to trust.
    pub ca: Vec<PathBuf>,
    /// What the client shows of itself.
    pub identity: Option<CertificatePair>,
    /// How often the files are looked at; zero: only when asked to.
    pub reload_interval: Duration,
}

impl Source for ClientFiles {
    type Config = ClientConfig;

    fn paths(&self) -> Vec<&Path> {
        let identity = self.identity.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        self.ca.iter().chain(identity).map(PathBuf::as_path).collect()
    }

    fn interval(&self) -> Duration {
        self.reload_interval
    }

    /// Sessions begin anew: one that is resumed shows the server the certificate of its first handshake.
    fn load(
        &self,
        contents: &Contents,
        _: Option<Current<'_, ClientConfig>>,
    ) -> Result<Loaded<ClientConfig>, TlsError> {
        let mut expiries = Vec::new();
        for path in &self.ca {
            expiries.extend(Expiry::of(Kind::Authority, path, &pem::certificates(path, contents)?));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Setup)?
            .with_root_certificates(pem::authorities(&self.ca, contents)?);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(CertificatePair { cert, key }) => {
                let chain = pem::certificates(cert, contents)?;
                expiries.extend(Expiry::of(Kind::Certificate, cert, &chain));
                builder
                    .with_client_auth_cert(chain, pem::key(key, contents)?)
                    .map_err(|error| pair_error(cert, key, error))?
            }
        };
        Ok(Loaded { config: Arc::new(config), expiries })
    }
}
