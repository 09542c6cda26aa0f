//! `hikyaku test`

mod compare;
mod deliver;
mod text;
mod update;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::{complain, exit_code, say};
use crate::config::{Config, ConfigErrors, TestCase};
use compare::{Difference, differences};
use deliver::deliver;
use update::{UpdateError, updated};

/// Run the tests of a configuration
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
  hikyaku test -c config/hikyaku.toml --update && git diff config
  hikyaku test -c config/hikyaku.toml --json | jq '.tests[] | select(.ok | not)'")]
pub(super) struct Arguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
    /// Only tests whose name has this in it
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Write what came out into the file, as what is expected, wherever a test fails; all else in the file stays as it is
    #[arg(long)]
    update: bool,
    /// Print one JSON object: `{"file", "ok", "tests": [{"name", "file", "line", "ok", "updated", "differences":
    /// [{"output", "event", "what", "expected", "found"}]}]}`
    #[arg(long)]
    json: bool,
}

/// What became of one test.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    name: String,
    file: String,
    line: usize,
    /// Whether it succeeds, by now.
    ok: bool,
    /// Whether it was made to, and so what differed before.
    updated: bool,
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
        let mut outcomes: Vec<_> = tests.iter().map(|test| run(&config, test)).collect();
        if self.update
            && let Err(error) = update_all(&config, &tests, &mut outcomes)
        {
            complain(error);
            return ExitCode::FAILURE;
        }
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
        updated: false,
        differences,
    }
}

/// A file of tests stays as it was.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Update { path: PathBuf, source: UpdateError },
    #[error(
        "{}: test `{name}` would still fail if it expected what came out, so nothing was written: please report this",
        path.display()
    )]
    StillFails { path: PathBuf, name: String },
}

/// Makes those that failed expect what came out, file by file; a file is replaced as a whole, or not at all.
fn update_all(config: &Config, tests: &[TestCase], outcomes: &mut [Outcome]) -> Result<(), WriteError> {
    let mut files: Vec<&Path> = tests.iter().map(|test| test.file.as_path()).collect();
    files.dedup();
    for path in files {
        let io_error = |action| move |source| WriteError::Io { action, path: path.to_owned(), source };
        let before = std::fs::read_to_string(path).map_err(io_error("read"))?;
        let mut text = before.clone();
        let mut changed = Vec::new();
        for (test, outcome) in tests.iter().zip(&mut *outcomes) {
            if test.file == path && !outcome.ok {
                text = updated(&text, test, &deliver(config, test))
                    .map_err(|source| WriteError::Update { path: path.to_owned(), source })?;
                changed.push(outcome);
            }
        }
        if changed.is_empty() {
            continue;
        }
        let now = TestCase::parse(&text, path, config).unwrap_or_default();
        for outcome in &changed {
            let test = now.iter().find(|test| test.name == outcome.name);
            if !test.is_some_and(|test| run(config, test).ok) {
                return Err(WriteError::StillFails { path: path.to_owned(), name: outcome.name.clone() });
            }
        }
        replace_file(path, &text).map_err(io_error("write"))?;
        changed.into_iter().for_each(|outcome| (outcome.ok, outcome.updated) = (true, true));
    }
    Ok(())
}

/// Beside it first, so that a full disk leaves the file as it was.
fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    beside.as_file().sync_all()?;
    // A link stays one.
    beside.persist(std::fs::canonicalize(path)?)?;
    Ok(())
}
