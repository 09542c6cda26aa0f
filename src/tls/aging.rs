//! Certificates and revocation lists that come to their end.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::expiry::{in_words, unix_seconds};
use super::identity::distinguished_name;

/// How long before its end a certificate is warned about.
pub const CERTIFICATE_WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Something that a file holds, and when it comes to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    pub kind: Kind,
    pub path: PathBuf,
    /// The subject of a certificate, the issuer of a revocation list.
    pub name: String,
    /// Seconds since the Unix epoch: the last second at which it is good.
    pub end: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server's or client's own, or one of its chain.
    Certificate,
    Authority,
    RevocationList,
}

impl Expiry {
    /// Of each of the certificates that can be read; the others have been told about as errors.
    pub(super) fn of<'c>(
        kind: Kind,
        path: &'c std::path::Path,
        certificates: &'c [CertificateDer<'_>],
    ) -> impl Iterator<Item = Self> + 'c {
        certificates.iter().filter_map(move |der| {
            let (_, certificate) = X509Certificate::from_der(der).ok()?;
            let name = distinguished_name(certificate.subject());
            Some(Self {
                kind,
                path: path.to_owned(),
                name,
                end: certificate.validity().not_after.timestamp(),
            })
        })
    }
}

/// What an operator has to be told today, in plain words.
pub fn warnings(expiries: &[Expiry], now: SystemTime) -> Vec<String> {
    let now = unix_seconds(now);
    expiries.iter().filter_map(|expiry| warning(expiry, now)).collect()
}

fn warning(Expiry { kind, path, name, end }: &Expiry, now: i64) -> Option<String> {
    let notice = match kind {
        Kind::Certificate | Kind::Authority => i64::try_from(CERTIFICATE_WARNING.as_secs()).unwrap_or(0),
        // Published again and again, so that only a late one is news.
        Kind::RevocationList => 0,
    };
    if end - now > notice {
        return None;
    }
    let distance = in_words(Duration::from_secs(now.abs_diff(*end)));
    let when = if now > *end { format!("expired {distance} ago") } else { format!("expires in {distance}") };
    let path = path.display();
    Some(match kind {
        Kind::Certificate => {
            format!("the certificate {name} in {path} {when}; renew it in place, no restart is needed")
        }
        Kind::Authority => format!(
            "the authority {name} in {path} {when}; issue from another one in time and add it to the file, no restart \
             is needed"
        ),
        Kind::RevocationList if now > *end => format!(
            "the revocation list of {name} in {path} is {distance} past its next update; publish a new one, no restart \
             is needed"
        ),
        Kind::RevocationList => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expiry(kind: Kind) -> Expiry {
        Expiry { kind, path: "a.pem".into(), name: "CN=a".to_owned(), end: 1_800_000_000 }
    }

    fn at(seconds_before_end: i64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs((1_800_000_000 - seconds_before_end) as u64)
    }

    #[test]
    fn certificates_are_warned_about_two_weeks_before_their_end() {
        const DAY: i64 = 24 * 60 * 60;
        for kind in [Kind::Certificate, Kind::Authority] {
            assert!(warnings(&[expiry(kind)], at(14 * DAY + 1)).is_empty());
            let [soon] = &warnings(&[expiry(kind)], at(14 * DAY))[..] else { panic!("one warning") };
            assert!(soon.contains("CN=a in a.pem expires in 14 days"), "{soon}");
            let [late] = &warnings(&[expiry(kind)], at(-2 * DAY))[..] else { panic!("one warning") };
            assert!(late.contains("expired 2 days ago"), "{late}");
        }
    }

    #[test]
    fn revocation_lists_are_warned_about_once_they_are_late() {
        assert!(warnings(&[expiry(Kind::RevocationList)], at(0)).is_empty());
        let [late] = &warnings(&[expiry(Kind::RevocationList)], at(-3600))[..] else { panic!("one warning") };
        assert!(late.contains("1 hour past its next update"), "{late}");
    }
}
