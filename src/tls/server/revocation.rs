//! Lists of certificates that were revoked (CRL, [RFC 5280](https://www.rfc-editor.org/rfc/rfc5280) section 5).
//!
//! rustls takes the first list that bears the issuer's name and verifies its signature with each handshake. What would
//! make every handshake fail is found here, when the list is read.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::error::X509Error;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::tls::aging::{Expiry, Kind};
use crate::tls::contents::Contents;
use crate::tls::identity::distinguished_name;
use crate::tls::pem::TlsError;

/// All lists of all files, the newest first.
pub(super) fn read(
    paths: &[PathBuf],
    contents: &Contents,
    authorities: &[CertificateDer<'_>],
    expiries: &mut Vec<Expiry>,
) -> Result<Vec<(PathBuf, CertificateRevocationListDer<'static>)>, TlsError> {
    let mut lists = Vec::new();
    for path in paths {
        for der in sections(path, contents)? {
            let (published, expiry) = check(path, &der, authorities)?;
            expiries.extend(expiry);
            lists.push((published, path.clone(), der));
        }
    }
    lists.sort_by_key(|(published, ..)| Reverse(*published));
    Ok(lists.into_iter().map(|(_, path, der)| (path, der)).collect())
}

/// Authorities publish DER as often as PEM.
fn sections(
    path: &Path,
    contents: &Contents,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    const DER_SEQUENCE: u8 = 0x30;
    let bytes = contents.bytes(path)?;
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateRevocationListDer::from(bytes.to_vec())]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::Pem { path: path.to_owned(), reason: error.to_string() })?;
    if lists.is_empty() { Err(TlsError::NoRevocationList { path: path.to_owned() }) } else { Ok(lists) }
}

/// When a list was published, and until when it is good.
fn check(
    path: &Path,
    der: &[u8],
    authorities: &[CertificateDer<'_>],
) -> Result<(i64, Option<Expiry>), TlsError> {
    let wrong = |reason: String| TlsError::RevocationList { path: path.to_owned(), reason };
    let (_, list) = CertificateRevocationList::from_der(der).map_err(|error| wrong(error.to_string()))?;
    let name = distinguished_name(list.issuer());
    let authorities: Vec<_> =
        authorities.iter().filter_map(|der| X509Certificate::from_der(der).ok()).collect();
    let mut namesakes = authorities
        .iter()
        .filter(|(_, authority)| authority.subject().as_raw() == list.issuer().as_raw())
        .peekable();
    // A list of an authority in between: its certificate comes from the client.
    let is_of_another = namesakes.peek().is_none();
    let is_signed = |authority: &X509Certificate<'_>| {
        // Of an algorithm that is not known here rustls is the judge.
        !matches!(list.verify_signature(authority.public_key()), Err(X509Error::SignatureVerificationError))
    };
    if !is_of_another && !namesakes.any(|(_, authority)| is_signed(authority)) {
        return Err(TlsError::ForeignRevocationList { path: path.to_owned(), issuer: name });
    }
    let expiry = list.next_update().map(|next| Expiry {
        kind: Kind::RevocationList,
        path: path.to_owned(),
        name,
        end: next.timestamp(),
    });
    Ok((list.last_update().timestamp(), expiry))
}
