//! `ca.crl`: the certificates of the authority that count no longer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::authority::Authority;
use super::files::{self, FileState, GeneratedFile, Pair};
use super::{GenerateError, check_client_name};

/// What stands on the list before it is published anew.
struct Published {
    revoked: Vec<RevokedCertParams>,
    number: u64,
}

/// Puts the certificates of these clients on the list in `ca.crl`, and publishes it, with a new date and as long as the
/// authority is valid. Without names it publishes what is on it, perhaps nothing. What was renewed stays valid unless it
/// was revoked before: the list knows serial numbers, and `NAME.crt` has only the newest.
///
/// # Errors
/// Where a name is impossible, a certificate or the authority is missing or foreign, or a file can't be read or written.
pub fn revoke(directory: &Path, names: &[String]) -> Result<GeneratedFile, GenerateError> {
    let authority = Authority::load(directory)?;
    let path = directory.join("ca.crl");
    let mut published = read(&path, directory, &authority)?;
    let now = jiff::Timestamp::now().as_second();
    for name in names {
        check_client_name(name)?;
        let pair = Pair::new(directory, name);
        if !files::exists(&pair.certificate)? {
            return Err(GenerateError::Missing { path: pair.certificate });
        }
        let certificate = files::read_certificate(&pair.certificate)?;
        authority.check_issued(&pair.certificate, &certificate)?;
        let serial = SerialNumber::from_slice(files::parse(&pair.certificate, &certificate)?.raw_serial());
        if published.revoked.iter().all(|revoked| revoked.serial_number != serial) {
            published.revoked.push(revoked(serial, now));
        }
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let list = authority.sign_list(&CertificateRevocationListParams {
        this_update: epoch + since_epoch(now),
        next_update: epoch + since_epoch(authority.valid_until().as_second()),
        crl_number: SerialNumber::from(published.number + 1),
        issuing_distribution_point: None,
        revoked_certs: published.revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    })?;
    files::write(&path, &list.pem().map_err(GenerateError::Create)?, 0o644, true)?;
    Ok(GeneratedFile { path, state: FileState::Made, valid_until: authority.valid_until() })
}

fn read(path: &PathBuf, directory: &Path, authority: &Authority) -> Result<Published, GenerateError> {
    if !files::exists(path)? {
        return Ok(Published { revoked: Vec::new(), number: 0 });
    }
    let bad = |reason: String| GenerateError::BadList { path: path.clone(), reason };
    let pem = std::fs::read(path).map_err(|source| GenerateError::Read { path: path.clone(), source })?;
    let der = CertificateRevocationListDer::from_pem_slice(&pem).map_err(|error| bad(error.to_string()))?;
    let (_, list) = CertificateRevocationList::from_der(&der).map_err(|error| bad(error.to_string()))?;
    list.verify_signature(authority.parse()?.public_key()).map_err(|_| GenerateError::ForeignList {
        path: path.clone(),
        authority: Pair::new(directory, "ca").certificate,
    })?;
    let number = list.crl_number().and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let entries = list.iter_revoked_certificates().map(|entry| {
        revoked(SerialNumber::from_slice(entry.raw_serial()), entry.revocation_date.timestamp())
    });
    Ok(Published { revoked: entries.collect(), number })
}

fn revoked(serial_number: SerialNumber, seconds: i64) -> RevokedCertParams {
    RevokedCertParams {
        serial_number,
        revocation_time: rcgen::date_time_ymd(1970, 1, 1) + since_epoch(seconds),
        reason_code: None,
        invalidity_date: None,
    }
}

fn since_epoch(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
