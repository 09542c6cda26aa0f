//! The server's side of TLS.

mod resolver;
mod revocation;
pub mod stream;
mod suites;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, VerifierBuilderError, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};

use self::resolver::ByName;
use super::aging::{Expiry, Kind};
use super::contents::Contents;
use super::pem::{self, TlsError, pair_error};
use super::reload::{Current, Loaded, Reloading, Source};
use super::shown::Remembering;
use crate::config::{CertificatePair, TlsConfig};

/// Sessions kept for TLS 1.2 clients that know no tickets, each a few kilobytes. All others keep their session
/// themselves, in a ticket.
const STORED_SESSIONS: usize = 1024;

/// The configuration of a listener, which follows its files.
pub type ReloadingServerConfig = Reloading<TlsConfig>;

/// Reads the files of `tls` and builds what a listener needs.
///
/// With `client_ca` a client must show a certificate of one of those authorities. Sessions are resumed in TLS 1.2 and
/// 1.3, also with client certificates: the certificate travels inside the encrypted ticket, and a resumed connection
/// knows it. rustls does not look at its validity again, see [`check_validity`](super::expiry::check_validity), nor at
/// revocation lists: a configuration with other authorities or lists makes ticket keys of its own, and accepts no
/// session of the one before. No ALPN is set: whatever protocol a client offers, it is answered without one.
pub fn server_config(tls: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    Ok(tls.load(&Contents::read(tls.paths()), None)?.config)
}

impl Source for TlsConfig {
    type Config = ServerConfig;

    fn paths(&self) -> Vec<&Path> {
        let pairs = self.certificates.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        let trust = self.client_ca.iter().chain(&self.crl);
        [&self.cert, &self.key].into_iter().chain(pairs).chain(trust).map(|path| path.as_path()).collect()
    }

    fn interval(&self) -> Duration {
        self.reload_interval
    }

    fn load(
        &self,
        contents: &Contents,
        current: Option<Current<'_, ServerConfig>>,
    ) -> Result<Loaded<ServerConfig>, TlsError> {
        let provider = Arc::new(suites::provider());
        let mut expiries = Vec::new();
        let mut keys = Vec::new();
        for pair in self.pairs() {
            keys.push(Arc::new(certified_key(&pair, contents, &provider, &mut expiries)?));
        }
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Setup)?;
        let builder = match verifier(self, contents, provider, &mut expiries)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(Arc::new(Remembering(verifier))),
        };
        let mut config = builder.with_cert_resolver(Arc::new(ByName::new(keys)));
        config.ignore_client_order = true;
        // For `stream`, which takes over where the handshake ends.
        config.enable_secret_extraction = true;
        self.set_up_resumption(&mut config, current)?;
        Ok(Loaded { config: Arc::new(config), expiries })
    }
}

impl TlsConfig {
    fn set_up_resumption(
        &self,
        config: &mut ServerConfig,
        current: Option<Current<'_, ServerConfig>>,
    ) -> Result<(), TlsError> {
        if self.refuse_when_crl_expired && !self.crl.is_empty() {
            // Nobody looks at lists when a session is resumed, so one that expires later would refuse nobody.
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            return Ok(());
        }
        match current {
            Some(current) if !current.has_changed(&self.client_ca) && !current.has_changed(&self.crl) => {
                config.ticketer = current.config.ticketer.clone();
                config.session_storage = current.config.session_storage.clone();
            }
            _ => {
                config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
                config.session_storage = ServerSessionMemoryCache::new(STORED_SESSIONS);
            }
        }
        Ok(())
    }
}

fn certified_key(
    pair: &CertificatePair,
    contents: &Contents,
    provider: &CryptoProvider,
    expiries: &mut Vec<Expiry>,
) -> Result<CertifiedKey, TlsError> {
    let CertificatePair { cert, key } = pair;
    let chain = pem::certificates(cert, contents)?;
    expiries.extend(Expiry::of(Kind::Certificate, cert, &chain));
    CertifiedKey::from_der(chain, pem::key(key, contents)?, provider)
        .map_err(|error| pair_error(cert, key, error))
}

/// Who may connect; `None`: everybody.
fn verifier(
    tls: &TlsConfig,
    contents: &Contents,
    provider: Arc<CryptoProvider>,
    expiries: &mut Vec<Expiry>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let Some(first) = tls.client_ca.first() else { return Ok(None) };
    let mut certificates = Vec::new();
    for path in &tls.client_ca {
        let found = pem::certificates(path, contents)?;
        expiries.extend(Expiry::of(Kind::Authority, path, &found));
        certificates.extend(found);
    }
    let authorities = Arc::new(pem::authorities(&tls.client_ca, contents)?);
    let lists = revocation::read(&tls.crl, contents, &certificates, expiries)?;
    let builder = || WebPkiClientVerifier::builder_with_provider(authorities.clone(), provider.clone());
    for (path, list) in &lists {
        // One by one, to name the file: rustls takes no lists of changes, and none that others than the issuer signed.
        builder().with_crls([list.clone()]).build().map_err(|error| verifier_error(path, error))?;
    }
    let mut builder = builder()
        .with_crls(lists.into_iter().map(|(_, list)| list))
        // Of an authority without a list nothing is known, which is no reason to refuse its clients.
        .allow_unknown_revocation_status();
    if tls.refuse_when_crl_expired {
        builder = builder.enforce_revocation_expiration();
    }
    builder.build().map(Some).map_err(|error| verifier_error(first, error))
}

fn verifier_error(path: &Path, error: VerifierBuilderError) -> TlsError {
    let path = path.to_owned();
    match error {
        VerifierBuilderError::InvalidCrl(error) => {
            TlsError::RevocationList { path, reason: format!("{error:?}") }
        }
        error => TlsError::Certificate { path, reason: error.to_string() },
    }
}
