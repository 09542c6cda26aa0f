//! `hikyaku check`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::config_notes::config_notes;
use super::{complain, exit_code, explain, say};
use crate::config::{Config, ConfigErrors, OwnershipRow, TestCase};

/// Check a configuration and touch nothing
///
/// Reads the file as `run` would, reports every mistake at once with its line and column, and exits with 0 or 78.
/// Nothing is bound, created or changed. Certificates that can't be read here are noted and no mistake: they may be made
/// later, or be on the machine of the server.
///
/// With --explain it also tells which way an event takes through the filters and outputs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku check -c config/hikyaku.toml
  HIKYAKU_CERTS=/etc/hikyaku/certs hikyaku check -c config/hikyaku.toml --json
  hikyaku check -c config/hikyaku.toml --explain nginx.access
  hikyaku check -c config/hikyaku.toml --explain nginx.access --record '{\"customer_name\":\"acme\"}'")]
pub(super) struct Arguments {
    /// The file to check
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
    /// Print one JSON object: `{"file", "ok", "errors": [{"line", "column", "length", "text", "message"}], "notes":
    /// ["…"]}`; with --explain, the way of the event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    explain: explain::EventArguments,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let result = Config::load(&self.config)
            .and_then(|config| TestCase::load(&config).map(|tests| (config, tests.len())));
        if let Ok((config, _)) = &result
            && self.explain.asks()
        {
            return self.explain(config);
        }
        if self.json {
            let notes = result.as_ref().map(|(config, _)| config_notes(config)).unwrap_or_default();
            say(report(&self.config, result.as_ref().err(), &notes));
        } else {
            match &result {
                Ok((config, tests)) => {
                    say(format!("{}: ok ({})", self.config.display(), contents(config, *tests)));
                    bindings(config).iter().for_each(say);
                    config_notes(config).iter().for_each(|note| complain(format_args!("note: {note}")));
                }
                Err(errors) => complain(errors.to_string().trim_end()),
            }
        }
        if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(exit_code::CONFIGURATION) }
    }

    fn explain(&self, config: &Config) -> ExitCode {
        match self.explain.explain(config) {
            Ok(explanation) if self.json => say(json!(explanation)),
            Ok(explanation) => say(explain::written(&explanation).trim_end()),
            Err(error) => {
                complain(error);
                return ExitCode::from(exit_code::USAGE);
            }
        }
        ExitCode::SUCCESS
    }
}

/// What a file has, in numbers.
fn contents(config: &Config, tests: usize) -> String {
    let counted = [
        (config.inputs.len(), "input"),
        (config.filters.len(), "filter"),
        (config.outputs.len(), "output"),
        (tests, "test"),
    ];
    let words = counted.iter().filter(|(count, _)| *count > 0);
    words
        .map(|(count, what)| format!("{count} {what}{}", if *count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What senders are held to, a line for each row and field.
fn bindings(config: &Config) -> Vec<String> {
    let rows = config.inputs.iter().flat_map(|input| {
        input.ownership.iter().flat_map(|ownership| &ownership.rows).map(move |row| (&input.id, row))
    });
    let line = |id: &String, row: &OwnershipRow| {
        let fields = row.fields.iter().map(|(field, values)| {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("  input {id}: {} may write {field} = {}", row.senders, values.join(" or "))
        });
        fields.collect::<Vec<_>>()
    };
    rows.flat_map(|(id, row)| line(id, row)).collect()
}

fn report(path: &Path, errors: Option<&ConfigErrors>, notes: &[String]) -> serde_json::Value {
    let path = path.display().to_string();
    let (file, problems) = match errors {
        None => (&path, json!([])),
        // The mistake may be in the file with the tests.
        Some(ConfigErrors::Invalid(invalid)) => (&invalid.file, json!(invalid.problems)),
        // A file that can't be read has no lines.
        Some(unreadable) => (&path, json!([{ "message": unreadable.to_string() }])),
    };
    json!({ "file": file, "ok": errors.is_none(), "errors": problems, "notes": notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_machine_readable() {
        let path = PathBuf::from("x.toml");
        let result = Config::parse("[server]\nnmae = 1\n", Some(path.clone()), &|_| None);
        let report = report(&path, result.as_ref().err(), &[]);
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
        let report = report(&PathBuf::from("x.toml"), Config::development().as_ref().err(), &[]);
        assert_eq!((&report["ok"], &report["errors"]), (&json!(true), &json!([])));
    }

    #[test]
    fn what_there_is_none_of_is_not_counted() {
        assert_eq!(
            contents(&Config::development().unwrap(), 1).split(", ").last(),
            Some("1 test"),
            "one of a kind has no s"
        );
        let text = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
                    [[output]]\nid = \"a\"\ntype = \"file\"\nfallback = true\npath = \"a\"\n";
        assert_eq!(contents(&Config::parse(text, None, &|_| None).unwrap(), 0), "1 input, 1 output");
    }

    #[test]
    fn what_senders_are_held_to_is_shown() {
        let text = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
                    tls = { cert = \"c\", key = \"k\", client_ca = \"a\" }\nallow = { customer = \"{@san_dns[0]}\" }\n\
                    owners = { \"DNS:a\" = { customer = [\"x\", \"y\"] } }\n\
                    [[output]]\nid = \"i\"\ntype = \"file\"\ninvalid = true\npath = \"i\"\n";
        let config = Config::parse(text, None, &|_| None).unwrap();
        assert_eq!(
            bindings(&config),
            [
                "  input edge: * may write customer = {@san_dns[0]}",
                "  input edge: DNS:a may write customer = x or y"
            ]
        );
    }

    #[test]
    fn a_missing_file_is_an_error_without_a_line() {
        let path = PathBuf::from("/nowhere/x.toml");
        let report = report(&path, Config::load(&path).as_ref().err(), &[]);
        assert!(report["errors"][0]["message"].as_str().unwrap().contains("/nowhere/x.toml"));
        assert!(report["errors"][0].get("line").is_none());
    }
}
