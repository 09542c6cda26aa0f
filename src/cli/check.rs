//! `hikyaku check`

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::{complain, exit_code, say};
use crate::config::{Config, ConfigErrors};

/// Checks a configuration and touches nothing
///
/// Reads the file as `run` would, reports every mistake at once with its line and column, and exits with 0 or 78.
/// Nothing is bound, created or opened besides the file and the key files that its filters name.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku check -c config/hikyaku.toml
  HIKYAKU_CERTS=/etc/hikyaku/certs hikyaku check -c config/hikyaku.toml --json")]
pub(super) struct Arguments {
    /// The file to check
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
    /// Print one JSON object: `{"file", "ok", "errors": [{"line", "column", "length", "text", "message"}]}`
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let result = Config::load(&self.config);
        if self.json {
            say(report(&self.config, &result));
        } else {
            match &result {
                Ok(config) => say(format!(
                    "{}: ok ({} inputs, {} filters, {} outputs)",
                    self.config.display(),
                    config.inputs.len(),
                    config.filters.len(),
                    config.outputs.len()
                )),
                Err(errors) => complain(errors.to_string().trim_end()),
            }
        }
        if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(exit_code::CONFIGURATION) }
    }
}

fn report(path: &std::path::Path, result: &Result<Config, ConfigErrors>) -> serde_json::Value {
    let errors = match result {
        Ok(_) => json!([]),
        Err(ConfigErrors::Invalid(invalid)) => json!(invalid.problems),
        // A file that can't be read has no lines.
        Err(unreadable) => json!([{ "message": unreadable.to_string() }]),
    };
    json!({ "file": path.display().to_string(), "ok": result.is_ok(), "errors": errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_machine_readable() {
        let path = PathBuf::from("x.toml");
        let result = Config::parse("[server]\nnmae = 1\n", Some(path.clone()), &|_| None);
        let report = report(&path, &result);
        assert_eq!(report["file"], "x.toml");
        assert_eq!(report["ok"], false);
        let unknown = &report["errors"][2];
        assert_eq!(
            (&unknown["line"], &unknown["column"], &unknown["length"]),
            (&json!(2), &json!(1), &json!(4))
        );
        assert_eq!(unknown["text"], "nmae = 1");
        assert!(unknown["message"].as_str().unwrap().contains("did you mean `name`?"));
    }

    #[test]
    fn a_valid_file_has_no_errors() {
        let report = report(&PathBuf::from("x.toml"), &Config::development());
        assert_eq!((&report["ok"], &report["errors"]), (&json!(true), &json!([])));
    }

    #[test]
    fn a_missing_file_is_an_error_without_a_line() {
        let path = PathBuf::from("/nowhere/x.toml");
        let report = report(&path, &Config::load(&path));
        assert!(report["errors"][0]["message"].as_str().unwrap().contains("/nowhere/x.toml"));
        assert!(report["errors"][0].get("line").is_none());
    }
}
