//! The command line: one file a command, each with its `Arguments` and what `execute` does with them.

mod backup;
mod certs;
mod check;
mod config_notes;
mod counted;
mod data_folder;
mod dead_letter;
mod decrypt;
mod dev;
mod exit_code;
mod explain;
mod health;
mod journal;
mod progress;
mod run;
mod send;
mod stored_events;
mod test;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Takes logs over the Fluentd forward protocol, seals them on disk, acknowledges them once they are durable, and
/// delivers each event exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "hikyaku",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a command it is `run`.
    #[command(flatten)]
    run: run::Arguments,
}

const EXAMPLES: &str = "\
Examples:
  hikyaku run --dev                        a server on this machine, with nothing prepared
  hikyaku check -c config/hikyaku.toml     is this configuration right?
  hikyaku test -c config/hikyaku.toml      does it do what its tests say?
  hikyaku certs --client engine-1          certificates under certs/
  hikyaku -c config/hikyaku.toml           the server

Exit codes: 0 success, 1 failure, 2 wrong arguments, 78 wrong configuration.
Every key of the configuration: docs/configuration.md";

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Check(check::Arguments),
    Test(test::Arguments),
    Certs(certs::Arguments),
    Send(send::Arguments),
    Health(health::Arguments),
    Journal(journal::Arguments),
    Backup(backup::Arguments),
    DeadLetter(dead_letter::Arguments),
    Decrypt(decrypt::Arguments),
}

/// Runs the command that the arguments name and gives the process its exit code.
pub fn main() -> ExitCode {
    // First of all: rustls panics at its first use where two providers are compiled in and none is installed. It
    // refuses only where another one was installed already, which serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let CommandLine { command, run } = CommandLine::parse();
    match command.unwrap_or(Command::Run(run)) {
        Command::Run(run) => run.execute(),
        Command::Check(check) => check.execute(),
        Command::Test(test) => test.execute(),
        Command::Certs(certs) => certs.execute(),
        Command::Send(send) => send.execute(),
        Command::Health(health) => health.execute(),
        Command::Journal(journal) => journal.execute(),
        Command::Backup(backup) => backup.execute(),
        Command::DeadLetter(dead_letter) => dead_letter.execute(),
        Command::Decrypt(decrypt) => decrypt.execute(),
    }
}

/// Prints a line for the one who typed the command, or for the program that reads its output.
fn say(line: impl Display) {
    // Where standard output is closed nobody is there to be told; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints what went wrong.
fn complain(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_description_and_examples() {
        let mut commands: Vec<_> = CommandLine::command().get_subcommands().cloned().collect();
        while let Some(command) = commands.pop() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.starts_with("Examples:\n"), "{}", command.get_name());
            commands.extend(command.get_subcommands().cloned());
        }
    }

    /// Of a command's page, each line behind `Examples:` that calls hikyaku, up to its explanation.
    fn examples_of(command: &clap::Command) -> Vec<String> {
        let page = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let calls = page.lines().filter_map(|line| line.find("hikyaku ").map(|at| &line[at..]));
        let calls = calls.filter_map(|line| line.split(['|', '<', '>', '&']).next());
        calls.filter_map(|line| line.split("  ").next()).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn every_example_is_a_command_line() {
        let mut commands = vec![CommandLine::command()];
        let mut examples = 0;
        while let Some(command) = commands.pop() {
            for example in examples_of(&command) {
                let words = example.split_whitespace().map(|word| word.trim_matches('\''));
                // What is in quotes has blanks and is one word.
                let words = words.filter(|word| !matches!(*word, "array" | "map"));
                if let Err(error) = CommandLine::try_parse_from(words) {
                    panic!("{example}: {error}");
                }
                examples += 1;
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(examples > 30, "{examples}");
    }

    #[test]
    fn without_a_command_it_runs() {
        let line = CommandLine::try_parse_from(["hikyaku", "-c", "x.toml"]).unwrap();
        assert!(line.command.is_none());
        assert!(CommandLine::try_parse_from(["hikyaku", "--dev"]).unwrap().command.is_none());
        assert!(CommandLine::try_parse_from(["hikyaku", "--dev", "check", "-c", "x"]).is_err());
        let line = CommandLine::try_parse_from(["hikyaku", "run", "--dev"]).unwrap();
        assert!(matches!(line.command, Some(Command::Run(_))));
    }
}
