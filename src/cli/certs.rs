//! `hikyaku certs`

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{complain, exit_code, say};
use crate::tls::generate::{
    CertificateRequest, DEFAULT_DAYS, FileState, GenerateError, GeneratedFile, MAX_DAYS, generate, revoke,
};

/// Make a CA, a server certificate, and a certificate per client; revoke them
///
/// What exists is kept, so that the same command can be repeated to add clients. Give ca.crt, NAME.crt and NAME.key
/// to the engine NAME; ca.key stays here, and signs whoever may connect.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku certs --client engine-1 --client engine-2
  hikyaku certs --dir /etc/hikyaku/certs --server-name logs.example.com --server-name 192.0.2.7
  hikyaku certs --client engine-1 --days 90 --force      renew engine-1 (and the server)
  hikyaku certs --crl                                    ca.crl, for `crl` of the configuration
  hikyaku certs --revoke engine-1                        and engine-1 is refused within seconds")]
pub(super) struct Arguments {
    /// The folder of ca.crt, ca.key, server.crt, server.key, NAME.crt and NAME.key
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    dir: PathBuf,
    /// Make NAME.crt and NAME.key; may be repeated
    #[arg(long = "client", value_name = "NAME")]
    clients: Vec<String>,
    /// A name or address by which clients reach the server, besides localhost, loopback and the host name; may be
    /// repeated
    #[arg(long = "server-name", value_name = "NAME")]
    server_names: Vec<String>,
    /// How many days new server and client certificates are valid (the CA: ten years)
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: u32,
    /// Replace the server certificate and those of the named clients; the CA is always kept
    #[arg(long)]
    force: bool,
    /// Make ca.crl, the list of revoked certificates, or publish it anew
    #[arg(long)]
    crl: bool,
    /// Put the certificate in NAME.crt on the list in ca.crl, before a new one is made of it; may be repeated
    #[arg(long, value_name = "NAME")]
    revoke: Vec<String>,
    /// Print one JSON object: `{"files": [{"path", "state", "valid_until"}]}`
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let request = CertificateRequest {
            directory: self.dir,
            clients: self.clients,
            server_names: self.server_names,
            days: self.days,
            force: self.force,
        };
        let publishes = self.crl || !self.revoke.is_empty();
        match make(&request, &self.revoke, publishes) {
            Ok(files) if self.json => say(report(&files)),
            Ok(files) => files.iter().for_each(|file| say(line(file))),
            Err(error) => {
                let is_of_an_argument = matches!(
                    error,
                    GenerateError::ClientName { .. }
                        | GenerateError::ServerName { .. }
                        | GenerateError::Days { .. }
                );
                complain(error);
                return if is_of_an_argument { ExitCode::from(exit_code::USAGE) } else { ExitCode::FAILURE };
            }
        }
        ExitCode::SUCCESS
    }
}

fn make(
    request: &CertificateRequest,
    revoked: &[String],
    publishes: bool,
) -> Result<Vec<GeneratedFile>, GenerateError> {
    // Before a certificate is replaced: its serial number is in the file.
    let mut list = if revoked.is_empty() { None } else { Some(revoke(&request.directory, revoked)?) };
    let mut files = generate(request)?;
    if publishes && list.is_none() {
        list = Some(revoke(&request.directory, &[])?);
    }
    files.extend(list);
    Ok(files)
}

fn line(file: &GeneratedFile) -> String {
    let valid_until = file.valid_until.strftime("%Y-%m-%d");
    format!("{} {} (valid until {valid_until})", state(file), file.path.display())
}

fn report(files: &[GeneratedFile]) -> serde_json::Value {
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            json!({
                "path": file.path.display().to_string(),
                "state": state(file),
                "valid_until": file.valid_until.to_string(),
            })
        })
        .collect();
    json!({ "files": files })
}

fn state(file: &GeneratedFile) -> &'static str {
    match file.state {
        FileState::Made => "made",
        FileState::Kept => "kept",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_for_people_and_programs() {
        let file = GeneratedFile {
            path: PathBuf::from("certs/ca.crt"),
            state: FileState::Made,
            valid_until: jiff::Timestamp::from_second(1_893_456_000).unwrap(),
        };
        assert_eq!(line(&file), "made certs/ca.crt (valid until 2030-01-01)");
        let entry = json!({ "path": "certs/ca.crt", "state": "made", "valid_until": "2030-01-01T00:00:00Z" });
        assert_eq!(report(&[file]), json!({ "files": [entry] }));
    }
}
