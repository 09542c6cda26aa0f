//! Which of several certificates a client is shown.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::ServerName;

/// Chooses by the name that a client asks for (SNI). The first certificate is for everybody else: clients that send no
/// name, as with an address, and clients that send one that no certificate has.
#[derive(Debug)]
pub(super) struct ByName(Vec<Arc<CertifiedKey>>);

impl ByName {
    pub(super) fn new(certificates: Vec<Arc<CertifiedKey>>) -> Self {
        Self(certificates)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first = self.0.first()?;
        if self.0.len() == 1 {
            return Some(Arc::clone(first));
        }
        let name = hello.server_name().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let is_usable = |key: &Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = name.and_then(|name| {
            let mut named = self.0.iter().filter(|key| is_for(key, &name)).peekable();
            let any = named.peek().copied();
            // Two certificates of one name, RSA and ECDSA perhaps: the one that the client can check.
            named.find(|key| is_usable(key)).or(any)
        });
        Some(Arc::clone(named.unwrap_or(first)))
    }
}

/// As a client would see it, wildcards included.
fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let Some(certificate) = key.cert.first() else { return false };
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}
