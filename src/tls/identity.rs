//! From a client certificate to the sender that it names.

use std::fmt::Write as _;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{BmpString, Oid};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::sender::SenderCertificate;

/// A certificate from which no sender can be told. TLS accepted it, so that this is rare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("the client certificate cannot be read: {0}")]
    Unreadable(String),
    #[error(
        "the client certificate has neither a subject nor an alternative name; issue one that names the sender"
    )]
    Nameless,
}

/// What a client certificate (DER) says about its owner.
pub fn sender_certificate(der: &[u8]) -> Result<SenderCertificate, IdentityError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|error| IdentityError::Unreadable(error.to_string()))?;
    let alternative_names = certificate
        .subject_alternative_name()
        .map_err(|error| IdentityError::Unreadable(error.to_string()))?
        .map(|names| names.value.general_names.iter().filter_map(alternative_name).collect())
        .unwrap_or_else(Vec::new);
    let subject = distinguished_name(certificate.subject());
    if subject.is_empty() && alternative_names.is_empty() {
        return Err(IdentityError::Nameless);
    }
    Ok(SenderCertificate { subject, alternative_names, fingerprint: hex(digest(&SHA256, der).as_ref()) })
}

/// As [RFC 4514](https://www.rfc-editor.org/rfc/rfc4514) writes it: the most specific part first.
pub(super) fn distinguished_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type();
    match (short_name(oid), text(attribute)) {
        (Some(name), Some(text)) => format!("{name}={}", escaped(&text)),
        (None, Some(text)) => format!("{oid}={}", escaped(&text)),
        (name, None) => {
            let name = name.map_or_else(|| oid.to_string(), str::to_owned);
            format!("{name}=#{}", hex(attribute.as_slice()))
        }
    }
}

fn text(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    match attribute.as_str() {
        Ok(text) => Some(text.to_owned()),
        Err(_) => BmpString::try_from(attribute.attr_value()).ok().map(|text| text.as_ref().to_owned()),
    }
}

/// The names of RFC 4514 and RFC 4519, and the one for e-mail that every tool prints.
fn short_name(oid: &Oid<'_>) -> Option<&'static str> {
    Some(match oid.to_id_string().as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

/// Escaped so that a value cannot look like several parts, nor break a log line.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                out.push('\\');
                out.push(character);
            }
            ' ' if at == 0 || at == last => out.push_str("\\ "),
            '#' if at == 0 => out.push_str("\\#"),
            character if character.is_control() => hex_escape(&mut out, character),
            character => out.push(character),
        }
    }
    out
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{}", plain(name))),
        GeneralName::URI(name) => Some(format!("URI:{}", plain(name))),
        GeneralName::RFC822Name(name) => Some(format!("email:{}", plain(name))),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(format!("IP:{address}"))
        }
        _ => None,
    }
}

/// Without what the sender's identity puts between names.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            ';' | '\\' => hex_escape(&mut out, character),
            character if character.is_control() || character.is_whitespace() => {
                hex_escape(&mut out, character)
            }
            character => out.push(character),
        }
    }
    out
}

fn hex_escape(out: &mut String, character: char) {
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        let _ = write!(out, "\\{byte:02X}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
