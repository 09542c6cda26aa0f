//! TLS failures in plain words: what happened, and what to do about it.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::expiry::{ValidityError, in_words};

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// One word for metrics.
    pub label: &'static str,
    /// For the log.
    pub text: String,
}

impl Explanation {
    fn new(label: &'static str, text: impl Into<String>) -> Self {
        Self { label, text: text.into() }
    }

    /// The client's side was not done within `handshake_timeout`.
    pub fn timeout() -> Self {
        Self::new("handshake_timeout", "the client did not finish the TLS handshake within handshake_timeout")
    }
}

/// Of an error that a server's handshake ended with.
pub fn explain(error: &io::Error) -> Explanation {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => explain_tls(error),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Explanation::new(
                "closed",
                "the client closed the connection during the TLS handshake; its own log says why, often it does not \
                 trust the server's certificate",
            ),
            _ => Explanation::new(
                "network",
                format!("the connection failed during the TLS handshake: {error}"),
            ),
        },
    }
}

fn explain_tls(error: &Error) -> Explanation {
    match error {
        Error::NoCertificatesPresented => Explanation::new(
            "no_certificate",
            "the client showed no certificate; give it one that client_ca issued, and its key",
        ),
        Error::InvalidCertificate(error) => explain_certificate(error),
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Explanation::new(
            "not_tls",
            "the client does not speak TLS, and this input does; switch TLS on at the client",
        ),
        Error::InvalidMessage(error) => Explanation::new(
            "not_tls",
            format!("the client sent what is no TLS ({error:?}); is it a forward client?"),
        ),
        Error::PeerIncompatible(reason) => Explanation::new(
            "incompatible",
            format!(
                "the client supports neither TLS 1.2 nor 1.3 as this server does ({reason:?}); update the client"
            ),
        ),
        error => Explanation::new("tls", format!("the TLS handshake failed: {error}")),
    }
}

fn explain_certificate(error: &CertificateError) -> Explanation {
    match error {
        CertificateError::Expired => expired("its certificate has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago =
                in_words(std::time::Duration::from_secs(time.as_secs().saturating_sub(not_after.as_secs())));
            expired(&format!("its certificate expired {ago} ago"))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => not_yet_valid(),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Explanation::new(
            "unknown_authority",
            "its certificate was not issued by the configured client_ca; issue one from that authority, or add the \
             client's authority to the client_ca file",
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Explanation::new(
                "certificate_purpose",
                "its certificate is not for clients; issue one whose extended key usage has clientAuth",
            )
        }
        CertificateError::Revoked => Explanation::new(
            "certificate_revoked",
            "its certificate, or an authority between it and client_ca, is on a revocation list (crl); issue a new one \
             if the client is still to be trusted",
        ),
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            Explanation::new(
                "revocation_list_expired",
                "the revocation list (crl) of its certificate's authority is past its next update, and crl_expired is \
                 \"refuse\"; publish a new list",
            )
        }
        error => Explanation::new("certificate", format!("its certificate cannot be accepted: {error}")),
    }
}

fn explain_alert(alert: AlertDescription) -> Explanation {
    match alert {
        AlertDescription::UnknownCA => Explanation::new(
            "untrusted_by_client",
            "the client does not trust the server's certificate (alert UnknownCA); give the client the authority that \
             issued it",
        ),
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => Explanation::new(
            "untrusted_by_client",
            format!(
                "the client does not accept the server's certificate (alert {alert:?}); check its validity, that it \
                 names the host the client connects to, and the client's authority"
            ),
        ),
        alert => Explanation::new("alert", format!("the client ended the TLS handshake (alert {alert:?})")),
    }
}

/// Of a certificate that was good when its session began.
impl From<ValidityError> for Explanation {
    fn from(error: ValidityError) -> Self {
        match error {
            ValidityError::Expired(_) => expired(&format!("its certificate is no longer good: {error}")),
            ValidityError::NotYetValid(_) => not_yet_valid(),
            ValidityError::Unreadable => Explanation::new("certificate", "its certificate cannot be read"),
        }
    }
}

fn expired(what: &str) -> Explanation {
    Explanation::new(
        "certificate_expired",
        format!("{what}; issue a new one (or mend the clock of this server)"),
    )
}

fn not_yet_valid() -> Explanation {
    Explanation::new(
        "certificate_not_yet_valid",
        "its certificate is not valid yet; check the clocks of this server and of the one that issued it",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::UnixTime;

    use super::*;

    fn of(error: Error) -> Explanation {
        explain(&io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn an_expired_certificate_says_for_how_long() {
        let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400));
        let error = CertificateError::ExpiredContext { time: at(13), not_after: at(10) };
        let explanation = of(Error::InvalidCertificate(error));
        assert_eq!(explanation.label, "certificate_expired");
        assert!(explanation.text.starts_with("its certificate expired 3 days ago"), "{}", explanation.text);
        let explanation = Explanation::from(ValidityError::Expired(Duration::from_secs(7200)));
        assert_eq!(explanation.label, "certificate_expired");
        assert!(explanation.text.contains("it expired 2 hours ago"), "{}", explanation.text);
    }

    #[test]
    fn each_common_mistake_has_a_word_of_its_own() {
        for (error, label) in [
            (Error::NoCertificatesPresented, "no_certificate"),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "unknown_authority"),
            (Error::InvalidCertificate(CertificateError::InvalidPurpose), "certificate_purpose"),
            (Error::InvalidCertificate(CertificateError::NotValidYet), "certificate_not_yet_valid"),
            (Error::InvalidCertificate(CertificateError::Revoked), "certificate_revoked"),
            (Error::InvalidCertificate(CertificateError::ExpiredRevocationList), "revocation_list_expired"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "untrusted_by_client"),
            (Error::AlertReceived(AlertDescription::BadCertificate), "untrusted_by_client"),
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "not_tls"),
            (Error::DecryptError, "tls"),
        ] {
            assert_eq!(of(error).label, label);
        }
        assert_eq!(explain(&io::ErrorKind::UnexpectedEof.into()).label, "closed");
        assert_eq!(explain(&io::ErrorKind::HostUnreachable.into()).label, "network");
    }
}
