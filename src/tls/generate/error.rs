//! Why no certificate was made. In every case the operator has to act; what was made before stays.

use std::io;
use std::path::PathBuf;

use super::{MAX_DAYS, MAX_NAME_LENGTH};

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(
        "`{name}` can't name a client: expected 1 to {MAX_NAME_LENGTH} of A-Za-z0-9._-, not beginning with `.` or \
         `-`, and neither `ca` nor `server`"
    )]
    ClientName { name: String },
    #[error("`{name}` is neither a DNS name nor an IP address")]
    ServerName { name: String },
    #[error("{days} days are out of range: expected 1 to {MAX_DAYS}")]
    Days { days: u32 },
    #[error("cannot create the directory {}: {source}", path.display())]
    CreateDirectory { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{} exists, but {} does not: bring it back, or move the first away to have both made anew",
        present.display(), missing.display()
    )]
    HalfPair { present: PathBuf, missing: PathBuf },
    #[error("{} holds no certificate in PEM: {reason}", path.display())]
    BadCertificate { path: PathBuf, reason: String },
    #[error("{} holds no private key in PEM: {reason}", path.display())]
    BadKey { path: PathBuf, reason: String },
    #[error("{} is not the key of {}: bring the right one back", key.display(), certificate.display())]
    ForeignKey { key: PathBuf, certificate: PathBuf },
    #[error("{} is no authority: its certificate may not sign others", path.display())]
    NoAuthority { path: PathBuf },
    #[error("{} expired on {expired}: move ca.crt and ca.key away to have everything made anew", path.display())]
    AuthorityExpired { path: PathBuf, expired: jiff::Timestamp },
    #[error(
        "{} was not issued by {}: give --force to replace it, or bring its authority back",
        path.display(), authority.display()
    )]
    ForeignCertificate { path: PathBuf, authority: PathBuf },
    #[error(
        "{} does not exist: name the folder of the certificates with --dir, and a client that has one there; \
         `hikyaku certs --client NAME` makes them",
        path.display()
    )]
    Missing { path: PathBuf },
    #[error("{} is no revocation list in PEM: {reason}", path.display())]
    BadList { path: PathBuf, reason: String },
    #[error("{} was not signed by {}: move it away to begin a new one", path.display(), authority.display())]
    ForeignList { path: PathBuf, authority: PathBuf },
    #[error("cannot create a certificate: {0}")]
    Create(rcgen::Error),
}
