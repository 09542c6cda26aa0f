//! The authority: `ca.crt` and `ca.key`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationList,
    CertificateRevocationListParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::X509Certificate;

use super::GenerateError;
use super::files::{self, FileState, GeneratedFile, Pair};

/// Days that an authority is valid: ten years.
const DAYS: u32 = 3650;

/// How far back a certificate is valid, for peers whose clocks are slow.
const BACKDATED: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(86_400);

/// Signs certificates.
#[derive(Debug)]
pub(super) struct Authority {
    path: PathBuf,
    certificate: CertificateDer<'static>,
    valid_until: jiff::Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// The authority in the directory, or a new one.
    pub(super) fn load_or_make(directory: &Path) -> Result<(Self, [GeneratedFile; 2]), GenerateError> {
        let pair = Pair::new(directory, "ca");
        let (certificate, key, state) = match pair.read()? {
            Some(certificate) => (certificate, read_key(&pair.key)?, FileState::Kept),
            None => {
                let key = KeyPair::generate().map_err(GenerateError::Create)?;
                let certificate = params().self_signed(&key).map_err(GenerateError::Create)?;
                pair.write(&certificate.pem(), &key.serialize_pem(), false)?;
                (certificate.into(), key, FileState::Made)
            }
        };
        let authority = Self::new(&pair, certificate, key)?;
        let files = pair.report(state, &authority.certificate)?;
        Ok((authority, files))
    }

    /// Valid from now for `days`, but no longer than the authority itself.
    pub(super) fn limit_validity(&self, params: &mut CertificateParams, days: u32) {
        set_validity(params, days, u64::try_from(self.valid_until.as_second()).unwrap_or(0));
    }

    /// The authority in the directory.
    pub(super) fn load(directory: &Path) -> Result<Self, GenerateError> {
        let pair = Pair::new(directory, "ca");
        let Some(certificate) = pair.read()? else {
            return Err(GenerateError::Missing { path: pair.certificate });
        };
        let key = read_key(&pair.key)?;
        Self::new(&pair, certificate, key)
    }

    fn new(pair: &Pair, certificate: CertificateDer<'static>, key: KeyPair) -> Result<Self, GenerateError> {
        let path = pair.certificate.clone();
        let valid_until = check(pair, &certificate, &key)?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| {
            GenerateError::BadCertificate { path: path.clone(), reason: error.to_string() }
        })?;
        Ok(Self { path, certificate, valid_until, issuer })
    }

    /// The last moment at which it is valid.
    pub(super) fn valid_until(&self) -> jiff::Timestamp {
        self.valid_until
    }

    /// Its certificate.
    pub(super) fn parse(&self) -> Result<X509Certificate<'_>, GenerateError> {
        files::parse(&self.path, &self.certificate)
    }

    pub(super) fn sign_list(
        &self,
        params: &CertificateRevocationListParams,
    ) -> Result<CertificateRevocationList, GenerateError> {
        params.signed_by(&self.issuer).map_err(GenerateError::Create)
    }

    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
    ) -> Result<Certificate, GenerateError> {
        params.signed_by(key, &self.issuer).map_err(GenerateError::Create)
    }

    /// Refuses a certificate that this authority did not sign: the server would start and every peer would fail.
    pub(super) fn check_issued(
        &self,
        path: &Path,
        certificate: &CertificateDer<'_>,
    ) -> Result<(), GenerateError> {
        let authority = self.parse()?;
        files::parse(path, certificate)?.verify_signature(Some(authority.public_key())).map_err(|_| {
            GenerateError::ForeignCertificate { path: path.to_owned(), authority: self.path.clone() }
        })
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // The day keeps two authorities apart in a list of names.
    let name = format!("hikyaku CA {}", jiff::Timestamp::now().strftime("%Y-%m-%d"));
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, DAYS, u64::MAX);
    params
}

/// Valid from now for `days`, but not after `limit` in seconds since the Unix epoch.
fn set_validity(params: &mut CertificateParams, days: u32, limit: u64) {
    let now = Duration::from_secs(u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(BACKDATED);
    params.not_after = epoch + (now + DAY * days).min(Duration::from_secs(limit));
}

fn read_key(path: &Path) -> Result<KeyPair, GenerateError> {
    let pem =
        fs::read_to_string(path).map_err(|source| GenerateError::Read { path: path.to_owned(), source })?;
    KeyPair::from_pem(&pem)
        .map_err(|error| GenerateError::BadKey { path: path.to_owned(), reason: error.to_string() })
}

/// Whether the pair can sign; its end of validity.
fn check(
    pair: &Pair,
    certificate: &CertificateDer<'_>,
    key: &KeyPair,
) -> Result<jiff::Timestamp, GenerateError> {
    let path = &pair.certificate;
    let parsed = files::parse(path, certificate)?;
    if !parsed.is_ca() {
        return Err(GenerateError::NoAuthority { path: path.clone() });
    }
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(GenerateError::ForeignKey { key: pair.key.clone(), certificate: path.clone() });
    }
    let valid_until = files::valid_until(&parsed);
    if valid_until <= jiff::Timestamp::now() {
        return Err(GenerateError::AuthorityExpired { path: path.clone(), expired: valid_until });
    }
    Ok(valid_until)
}
