//! Certificates for a start: an authority, a server certificate, one certificate per client, and the list of those that
//! were revoked.
//!
//! ECDSA P-256 throughout. Files appear whole or not at all, keys are readable by their owner only, and an existing
//! file is kept: the same directory can be given again to add clients.

mod authority;
mod error;
mod files;
mod revocation;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};

use authority::Authority;
pub use error::GenerateError;
use files::Pair;
pub use files::{FileState, GeneratedFile};
pub use revocation::revoke;

/// Days that a server or client certificate is valid where nobody says otherwise: the longest that all common TLS
/// clients accept.
pub const DEFAULT_DAYS: u32 = 825;

/// Longest validity that can be asked for; no certificate outlives its authority anyway.
pub const MAX_DAYS: u32 = 3650;

/// Longest client name, the limit of a common name in X.520.
pub const MAX_NAME_LENGTH: usize = 64;

/// What to make.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    /// Created where it is missing.
    pub directory: PathBuf,
    /// One certificate each, in `NAME.crt` and `NAME.key`.
    pub clients: Vec<String>,
    /// DNS names and addresses of the server besides `localhost`, loopback and the host name.
    pub server_names: Vec<String>,
    /// Days that new server and client certificates are valid, 1 to [`MAX_DAYS`].
    pub days: u32,
    /// Replaces the server certificate and those of the named clients. The authority is always kept.
    pub force: bool,
}

/// Makes what is missing: `ca.crt` and `ca.key`, `server.crt` and `server.key`, and a pair for each client.
///
/// Returns every file that was asked for, made or kept.
///
/// # Errors
/// Where a name is impossible, a file can't be read or written, half of a pair is missing, or an existing
/// certificate does not come from the authority in the directory.
pub fn generate(request: &CertificateRequest) -> Result<Vec<GeneratedFile>, GenerateError> {
    if !(1..=MAX_DAYS).contains(&request.days) {
        return Err(GenerateError::Days { days: request.days });
    }
    for client in &request.clients {
        check_client_name(client)?;
    }
    let server = server_params(&request.server_names)?;
    files::create_directory(&request.directory)?;

    let (authority, files) = Authority::load_or_make(&request.directory)?;
    let mut files = Vec::from(files);
    files.extend(leaf(request, &authority, "server", server)?);
    for client in &request.clients {
        files.extend(leaf(request, &authority, client, client_params(client)?)?);
    }
    Ok(files)
}

/// Makes or keeps one certificate and its key.
fn leaf(
    request: &CertificateRequest,
    authority: &Authority,
    name: &str,
    mut params: CertificateParams,
) -> Result<[GeneratedFile; 2], GenerateError> {
    let pair = Pair::new(&request.directory, name);
    if !request.force
        && let Some(certificate) = pair.read()?
    {
        authority.check_issued(&pair.certificate, &certificate)?;
        return pair.report(FileState::Kept, &certificate);
    }
    let key = KeyPair::generate().map_err(GenerateError::Create)?;
    authority.limit_validity(&mut params, request.days);
    let certificate = authority.sign(&params, &key)?;
    pair.write(&certificate.pem(), &key.serialize_pem(), request.force)?;
    pair.report(FileState::Made, certificate.der())
}

fn server_params(names: &[String]) -> Result<CertificateParams, GenerateError> {
    let host_name = crate::config::host_name();
    let mut alternative_names = vec![
        dns_name("localhost")?,
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    let mut add = |name| {
        if !alternative_names.contains(&name) {
            alternative_names.push(name);
        }
    };
    // A host name that no certificate can carry is no reason to fail: nobody asked for it.
    if let Ok(name) = dns_name(&host_name) {
        add(name);
    }
    for name in names {
        add(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => dns_name(name)?,
        });
    }
    let mut params = leaf_params("hikyaku server", ExtendedKeyUsagePurpose::ServerAuth);
    params.subject_alt_names = alternative_names;
    Ok(params)
}

fn client_params(name: &str) -> Result<CertificateParams, GenerateError> {
    let mut params = leaf_params(name, ExtendedKeyUsagePurpose::ClientAuth);
    // Common names are on their way out: whoever asks for an alternative name finds the same one.
    params.subject_alt_names = dns_name(name).into_iter().collect();
    Ok(params)
}

fn leaf_params(common_name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

/// A DNS name that TLS clients can compare with: letters, digits, `-`, `.`, perhaps `*.` in front.
fn dns_name(name: &str) -> Result<SanType, GenerateError> {
    let wrong = || GenerateError::ServerName { name: name.to_owned() };
    let host = name.strip_prefix("*.").unwrap_or(name);
    rustls_pki_types::DnsName::try_from(host).map_err(|_| wrong())?;
    Ok(SanType::DnsName(name.try_into().map_err(|_| wrong())?))
}

/// A client's name becomes a file name, so it must not lead anywhere else or hide.
fn check_client_name(name: &str) -> Result<(), GenerateError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(is_allowed)
        && !name.starts_with(['.', '-'])
        && !["ca", "server"].contains(&name);
    if fits { Ok(()) } else { Err(GenerateError::ClientName { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests;
