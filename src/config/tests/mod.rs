//! Configurations as they are written in a file: what is filled in, and what is refused where.

mod file;
mod filters;
mod inputs;
mod journal;
mod mistakes;
mod outputs;
mod paths;
mod security;
mod sizes;
mod tls;
mod whole;

use std::time::Duration;

use super::*;

/// The least that a configuration needs.
const MINIMAL: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:24224"

[[output]]
id = "archive"
type = "file"
match = "**"
path = "logs/%Y.log"
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Some(PathBuf::from("x.toml")), &|_| None)
}

fn file(output: &OutputConfig) -> &FileOutputConfig {
    let OutputKind::File(file) = &output.kind else { panic!("{output:?} writes no files") };
    file
}

/// `line:column: message` of every problem.
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Err(ConfigErrors::Invalid(invalid)) => invalid
            .problems
            .iter()
            .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message))
            .collect(),
        other => panic!("expected problems of {text}, got {other:?}"),
    }
}

/// The only problem of the text, checked to hold `expected`.
fn assert_problem(text: &str, expected: &str) {
    let problems = problems(text);
    assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:#?} should hold {expected:?}");
}

/// What `with` makes of each of `keys` is refused for one reason, which holds the text beside the keys.
fn assert_refused(with: impl Fn(&str) -> String, cases: &[(&str, &str)]) {
    for (keys, expected) in cases {
        assert_problem(&with(keys), expected);
    }
}

/// What `with` makes of each of `cases` is taken.
fn assert_accepted(with: impl Fn(&str) -> String, cases: &[&str]) {
    for keys in cases {
        if let Err(errors) = parse(&with(keys)) {
            panic!("{keys}: {errors}");
        }
    }
}

/// Keys of the input of [`MINIMAL`].
fn with_input(keys: &str) -> String {
    MINIMAL.replace("24224\"\n", &format!("24224\"\n{keys}\n"))
}

/// Keys of the output of [`MINIMAL`], or whole sections behind it.
fn with_output(keys: &str) -> String {
    format!("{MINIMAL}{keys}\n")
}

/// Keys of a section of its own, which begins in line 1.
fn with_section(header: &str) -> impl Fn(&str) -> String {
    move |keys| format!("{header}\n{keys}\n{MINIMAL}")
}
