//! How long certificates are good for.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::pem::{TlsError, read_certificates};

const SECONDS_PER_DAY: i64 = 24 * 60 * 60;

/// Why a certificate is not good now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    #[error("it expired {ago} ago", ago = in_words(*.0))]
    Expired(Duration),
    #[error("it is not valid before {ahead} from now", ahead = in_words(*.0))]
    NotYetValid(Duration),
    #[error("it cannot be read")]
    Unreadable,
}

/// Whether a certificate (DER) is good at `now`. Needed after a resumed handshake, in which rustls verifies nothing.
pub fn check_validity(certificate: &[u8], now: SystemTime) -> Result<(), ValidityError> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| ValidityError::Unreadable)?;
    let validity = certificate.validity();
    let now = unix_seconds(now);
    let (start, end) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    if now > end {
        return Err(ValidityError::Expired(Duration::from_secs(now.abs_diff(end))));
    }
    if now < start {
        return Err(ValidityError::NotYetValid(Duration::from_secs(start.abs_diff(now))));
    }
    Ok(())
}

/// Whole days until the first certificate of a PEM file expires, rounded down: 0 on its last day, negative afterwards.
pub fn days_left(path: &Path) -> Result<i64, TlsError> {
    days_left_at(path, SystemTime::now())
}

/// As [`days_left`], at another time than now.
pub fn days_left_at(path: &Path, now: SystemTime) -> Result<i64, TlsError> {
    let certificates = read_certificates(path)?;
    let first = certificates.first().ok_or_else(|| TlsError::NoCertificate { path: path.to_owned() })?;
    let (_, certificate) = X509Certificate::from_der(first)
        .map_err(|error| TlsError::Certificate { path: path.to_owned(), reason: error.to_string() })?;
    let seconds = certificate.validity().not_after.timestamp() - unix_seconds(now);
    Ok(seconds.div_euclid(SECONDS_PER_DAY))
}

/// `3 days`, `5 hours`: as exact as somebody needs who has to do something about it.
pub(super) fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (7_199, "1 hour"),
            (86_399, "23 hours"),
            (3 * 86_400, "3 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_not_valid() {
        assert_eq!(check_validity(b"x", SystemTime::now()), Err(ValidityError::Unreadable));
    }
}
