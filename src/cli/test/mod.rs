//! `hikyaku test`

mod compare;
mod deliver;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{complain, exit_code, say};
use crate::config::{Config, ConfigErrors, TestCase};
use compare::{Difference, differences};
use deliver::deliver;

/// Runs the tests of a configuration
///
/// They are the [[test]] tables in the file itself, and in NAME.tests.toml beside NAME.toml: events that come in, and
/// what each output is expected to write. Filters, routes, paths and formats are those of the server; nothing is
/// bound, sent or written. Exits with 0 if all tests succeed, 1 if one fails or there is none, 78 if the configuration
/// or a test is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku test -c config/hikyaku.toml
  hikyaku test -c config/hikyaku.toml --filter archive
  hikyaku test -c config/hikyaku.toml --json | jq '.tests[] | select(.ok | not)'")]
pub(super) struct Arguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
    /// Only tests whose name has this in it
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Print one JSON object: `{"file", "ok", "tests": [{"name", "file", "line", "ok", "differences": [{"output",
    /// "event", "what", "expected", "found"}]}]}`
    #[arg(long)]
    json: bool,
}

/// What became of one test.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    name: String,
    file: String,
    line: usize,
    ok: bool,
    differences: Vec<Difference>,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let (config, tests) = match self.load() {
            Ok(loaded) => loaded,
            Err(errors) => {
                complain(errors.to_string().trim_end());
                return ExitCode::from(exit_code::CONFIGURATION);
            }
        };
        if tests.is_empty() {
            complain(self.nothing_to_do());
            return ExitCode::FAILURE;
        }
        let outcomes: Vec<_> = tests.iter().map(|test| run(&config, test)).collect();
        let ok = outcomes.iter().all(|outcome| outcome.ok);
        if self.json {
            let file = self.config.display().to_string();
            say(serde_json::json!({ "file": file, "ok": ok, "tests": outcomes }));
        } else {
            say(text::written(&outcomes).trim_end());
        }
        if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// The configuration, and those of its tests that are asked for.
    fn load(&self) -> Result<(Config, Vec<TestCase>), ConfigErrors> {
        let config = Config::load(&self.config)?;
        let mut tests = TestCase::load(&config)?;
        tests.retain(|test| self.filter.as_ref().is_none_or(|part| test.name.contains(part)));
        Ok((config, tests))
    }

    fn nothing_to_do(&self) -> String {
        let file = self.config.display();
        match &self.filter {
            Some(part) => format!("{file} has no test with `{part}` in its name"),
            None => format!(
                "{file} has no tests; write [[test]] tables into it, or into {} (docs/routing.md)",
                self.config.with_extension("tests.toml").display()
            ),
        }
    }
}

fn run(config: &Config, test: &TestCase) -> Outcome {
    let differences = differences(test, &deliver(config, test));
    Outcome {
        name: test.name.clone(),
        file: test.file.display().to_string(),
        line: test.line,
        ok: differences.is_empty(),
        differences,
    }
}
