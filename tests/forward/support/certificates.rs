//! Authorities and what they issue, as PEM files in a folder of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku::config::TlsConfig;
use hikyaku::tls::client::{ClientIdentity, client_config};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use tempfile::TempDir;

pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A certificate with the common name and alternative name `name`, changed by `change`.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_path, key_path) =
            (self.folder.path().join(format!("{name}.crt")), self.folder.path().join(format!("{name}.key")));
        std::fs::write(&cert_path, certificate.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        Pair { cert: cert_path, key: key_path, der: certificate.der().to_vec() }
    }

    /// A server for `localhost` that wants certificates of this authority.
    pub(crate) fn server(&self) -> TlsConfig {
        let pair = self.issue("localhost", |_| ());
        TlsConfig { client_ca: vec![self.path()], ..TlsConfig::new(pair.cert, pair.key) }
    }

    /// A client that trusts this authority and shows `pair`.
    pub(crate) fn client(&self, pair: Option<&Pair>) -> Arc<ClientConfig> {
        let identity = pair.map(|pair| ClientIdentity { cert: &pair.cert, key: &pair.key });
        client_config(&self.path(), identity).unwrap()
    }
}
