//! Authorities and what they issue, as PEM files in a folder of their own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hikyaku::config::TlsConfig;
use hikyaku::tls::client::{ClientIdentity, client_config};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::ClientConfig;
use tempfile::TempDir;
use x509_parser::prelude::{FromDer, X509Certificate};

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
        self.sign(name, name, &KeyPair::generate().unwrap(), change)
    }

    /// As [`issue`](Self::issue), to a key that is there, in files of another name.
    pub(crate) fn issue_to(&self, name: &str, file: &str, key: &KeyPair) -> Pair {
        self.sign(name, file, key, |_| ())
    }

    fn sign(
        &self,
        name: &str,
        file: &str,
        key: &KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        let (cert_path, key_path) =
            (self.folder.path().join(format!("{file}.crt")), self.folder.path().join(format!("{file}.key")));
        std::fs::write(&cert_path, certificate.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        Pair { cert: cert_path, key: key_path, der: certificate.der().to_vec() }
    }

    /// An authority that this one vouches for. Its certificates come with its own as their chain.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let mut params = None;
        let pair = self.issue(name, |issued| {
            issued.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params = Some(issued.clone());
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(&pair.cert, folder.path().join("ca.crt")).unwrap();
        let key = KeyPair::from_pem(&std::fs::read_to_string(&pair.key).unwrap()).unwrap();
        Self { folder, issuer: Issuer::new(params.unwrap(), key) }
    }

    /// As [`issue`](Self::issue), followed by this authority's own certificate.
    pub(crate) fn issue_with_chain(&self, name: &str) -> Pair {
        let pair = self.issue(name, |_| ());
        let chain = [&pair.cert, &self.path()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
        std::fs::write(&pair.cert, chain).unwrap();
        pair
    }

    /// Publishes the list of what this authority has revoked.
    pub(crate) fn revoke(&self, pairs: &[&Pair]) -> PathBuf {
        self.revoke_with(pairs, |_| ())
    }

    /// As [`revoke`](Self::revoke), changed by `change`.
    pub(crate) fn revoke_with(
        &self,
        pairs: &[&Pair],
        change: impl FnOnce(&mut CertificateRevocationListParams),
    ) -> PathBuf {
        let revoked = |pair: &&Pair| RevokedCertParams {
            serial_number: pair.serial(),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let mut params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: pairs.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        change(&mut params);
        let path = self.folder.path().join("ca.crl");
        std::fs::write(&path, params.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
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

impl Pair {
    fn serial(&self) -> SerialNumber {
        SerialNumber::from_slice(X509Certificate::from_der(&self.der).unwrap().1.raw_serial())
    }
}
