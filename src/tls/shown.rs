//! The certificate that a refused client showed, for the log.
//!
//! rustls tells why it refused a certificate but not which one, and a verifier serves all connections at once. It is
//! called in the middle of its connection's handshake though, within that connection's task: what it refuses it leaves
//! in a place of that task.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::identity::{distinguished_name, sender_certificate};

/// Bytes of a name that are written to the log: peers choose what stands there.
pub const MAX_NAME_LENGTH: usize = 256;

tokio::task_local! {
    static REFUSED: Cell<Option<CertificateDer<'static>>>;
}

/// Names of a certificate that nobody vouches for: they say whom to ask, not who it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    /// The subject, or the alternative names of a certificate without one.
    pub subject: String,
    pub issuer: String,
}

impl ShownCertificate {
    /// `None` where the bytes are no certificate.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut subject = distinguished_name(certificate.subject());
        if subject.is_empty() {
            subject = sender_certificate(der).ok()?.alternative_names.join(",");
        }
        Some(Self {
            subject: shortened(subject),
            issuer: shortened(distinguished_name(certificate.issuer())),
        })
    }
}

/// Runs a handshake, and gives the certificate besides that a `Remembering` verifier refused in it. It is not read yet:
/// whoever is refused may come again and again, and not each time is told.
pub async fn with_refused<F: Future>(handshake: F) -> (F::Output, Option<CertificateDer<'static>>) {
    REFUSED
        .scope(Cell::new(None), async {
            let output = handshake.await;
            (output, REFUSED.with(Cell::take))
        })
        .await
}

/// Leaves what it refuses to [`with_refused`].
pub(super) struct Remembering(pub(super) Arc<dyn ClientCertVerifier>);

impl Remembering {
    fn refused(certificate: &CertificateDer<'_>) {
        // Without a place the handshake is one that nobody asks about.
        let _ = REFUSED.try_with(|refused| refused.set(Some(certificate.clone().into_owned())));
    }
}

impl fmt::Debug for Remembering {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl ClientCertVerifier for Remembering {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.verify_client_cert(end_entity, intermediates, now).inspect_err(|_| Self::refused(end_entity))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
            .inspect_err(|_| Self::refused(certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
            .inspect_err(|_| Self::refused(certificate))
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn shortened(mut name: String) -> String {
    if name.len() > MAX_NAME_LENGTH {
        let end = (0..=MAX_NAME_LENGTH).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or(0));
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn shown(change: impl FnOnce(&mut CertificateParams)) -> ShownCertificate {
        let mut params = CertificateParams::new(["engine-1.example.com".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        ShownCertificate::read(certificate.der()).unwrap()
    }

    #[test]
    fn a_certificate_without_a_subject_goes_by_its_alternative_names() {
        assert!(shown(|_| ()).subject.contains("engine-1.example.com"));
        assert_eq!(ShownCertificate::read(b"x"), None);
    }

    #[test]
    fn names_are_cut_at_their_limit() {
        let of = |length| {
            let name = "é".repeat(length);
            shown(|params| params.distinguished_name.push(DnType::CommonName, name)).subject
        };
        // "CN=" and two bytes for each.
        assert_eq!(of(126).len(), MAX_NAME_LENGTH - 1);
        assert_eq!(of(127).len(), MAX_NAME_LENGTH - 1 + "…".len());
    }

    #[tokio::test]
    async fn nothing_refused_is_nothing_shown() {
        assert_eq!(with_refused(async { 1 }).await, (1, None));
    }
}
