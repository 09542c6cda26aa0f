//! `NAME.crt` and `NAME.key` in a directory.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::GenerateError;

/// A file that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    pub path: PathBuf,
    pub state: FileState,
    /// The last moment at which the certificate, or the certificate of this key, is valid.
    pub valid_until: jiff::Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// It is new.
    Made,
    /// It was there and was left as it is.
    Kept,
}

/// A certificate and its key.
#[derive(Debug)]
pub(super) struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    pub(super) fn new(directory: &Path, name: &str) -> Self {
        Self {
            certificate: directory.join(format!("{name}.crt")),
            key: directory.join(format!("{name}.key")),
        }
    }

    /// The existing certificate; `None` where neither file exists.
    pub(super) fn read(&self) -> Result<Option<CertificateDer<'static>>, GenerateError> {
        let half = |present: &Path, missing: &Path| {
            Err(GenerateError::HalfPair { present: present.to_owned(), missing: missing.to_owned() })
        };
        match (exists(&self.certificate)?, exists(&self.key)?) {
            (false, false) => Ok(None),
            (true, false) => half(&self.certificate, &self.key),
            (false, true) => half(&self.key, &self.certificate),
            (true, true) => read_certificate(&self.certificate).map(Some),
        }
    }

    /// Writes both, the key first: a certificate that is there has its key.
    pub(super) fn write(&self, certificate: &str, key: &str, replace: bool) -> Result<(), GenerateError> {
        write(&self.key, key, 0o600, replace)?;
        write(&self.certificate, certificate, 0o644, replace)
    }

    pub(super) fn report(
        self,
        state: FileState,
        certificate: &CertificateDer<'_>,
    ) -> Result<[GeneratedFile; 2], GenerateError> {
        let valid_until = valid_until(&parse(&self.certificate, certificate)?);
        Ok([self.certificate, self.key].map(|path| GeneratedFile { path, state, valid_until }))
    }
}

pub(super) fn create_directory(path: &Path) -> Result<(), GenerateError> {
    fs::create_dir_all(path)
        .map_err(|source| GenerateError::CreateDirectory { path: path.to_owned(), source })
}

/// The first certificate of a PEM file.
pub(super) fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, GenerateError> {
    let pem = fs::read(path).map_err(|source| GenerateError::Read { path: path.to_owned(), source })?;
    CertificateDer::from_pem_slice(&pem)
        .map_err(|error| GenerateError::BadCertificate { path: path.to_owned(), reason: error.to_string() })
}

pub(super) fn parse<'d>(
    path: &Path,
    certificate: &'d CertificateDer<'_>,
) -> Result<X509Certificate<'d>, GenerateError> {
    X509Certificate::from_der(certificate)
        .map(|(_, certificate)| certificate)
        .map_err(|error| GenerateError::BadCertificate { path: path.to_owned(), reason: error.to_string() })
}

pub(super) fn valid_until(certificate: &X509Certificate<'_>) -> jiff::Timestamp {
    let seconds = certificate.validity().not_after.timestamp();
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX)
}

pub(super) fn exists(path: &Path) -> Result<bool, GenerateError> {
    path.try_exists().map_err(|source| GenerateError::Read { path: path.to_owned(), source })
}

/// The file has all of its text and its mode from the moment at which it appears under its name.
pub(super) fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), GenerateError> {
    let attempt = || -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".hikyaku-").tempfile_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        if replace {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        fs::File::open(directory)?.sync_all()
    };
    attempt().map_err(|source| GenerateError::Write { path: path.to_owned(), source })
}
