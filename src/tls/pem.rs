//! Certificates and keys from PEM files.

use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::contents::Contents;

/// What is wrong with a certificate or key file. The operator must act: each message names the file and says how.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {source}; check the path and that this user may read it", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is no PEM file: {reason}; it needs lines from BEGIN to END as openssl writes them", path = path.display())]
    Pem { path: PathBuf, reason: String },
    #[error("{path} holds no certificate; it needs a section BEGIN CERTIFICATE", path = path.display())]
    NoCertificate { path: PathBuf },
    #[error(
        "{path} holds no private key; it needs a section BEGIN PRIVATE KEY, without a passphrase",
        path = path.display()
    )]
    NoKey { path: PathBuf },
    #[error(
        "the key in {key} does not belong to the first certificate in {cert}; give both files of one pair, the \
         server's or client's own certificate before its chain",
        key = key.display(), cert = cert.display()
    )]
    KeyMismatch { cert: PathBuf, key: PathBuf },
    #[error("the certificate in {path} cannot be used: {reason}", path = path.display())]
    Certificate { path: PathBuf, reason: String },
    #[error("the key in {path} cannot be used: {reason}; RSA, ECDSA P-256, P-384, P-521 and Ed25519 can", path = path.display())]
    Key { path: PathBuf, reason: String },
    #[error(
        "{path} holds no revocation list; it needs a section BEGIN X509 CRL, or to be one in DER",
        path = path.display()
    )]
    NoRevocationList { path: PathBuf },
    #[error("the revocation list in {path} cannot be used: {reason}", path = path.display())]
    RevocationList { path: PathBuf, reason: String },
    #[error(
        "the revocation list in {path} names {issuer}, but that authority of client_ca did not sign it; publish it anew \
         with that authority's key",
        path = path.display()
    )]
    ForeignRevocationList { path: PathBuf, issuer: String },
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// All certificates of a file in their order; at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(path, &Contents::read([path]))
}

/// The first private key of a file.
pub fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    key(path, &Contents::read([path]))
}

/// All certificates of a file in their order; at least one.
pub(super) fn certificates(
    path: &Path,
    contents: &Contents,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(contents.bytes(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Pem { path: path.to_owned(), reason: error.to_string() })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// The first private key of a file.
pub(super) fn key(path: &Path, contents: &Contents) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(contents.bytes(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        error => TlsError::Pem { path: path.to_owned(), reason: error.to_string() },
    })
}

/// The certificates of all these files as the authorities to trust.
pub(super) fn authorities(paths: &[PathBuf], contents: &Contents) -> Result<RootCertStore, TlsError> {
    let mut authorities = RootCertStore::empty();
    for path in paths {
        for certificate in certificates(path, contents)? {
            authorities
                .add(certificate)
                .map_err(|error| TlsError::Certificate { path: path.clone(), reason: error.to_string() })?;
        }
    }
    Ok(authorities)
}

/// What rustls says about a certificate and its key, with the files named.
pub(super) fn pair_error(cert: &Path, key: &Path, error: rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { cert: cert.to_owned(), key: key.to_owned() }
        }
        rustls::Error::InvalidCertificate(error) => {
            TlsError::Certificate { path: cert.to_owned(), reason: error.to_string() }
        }
        error => TlsError::Key { path: key.to_owned(), reason: error.to_string() },
    }
}
