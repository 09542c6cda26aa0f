//! `hikyaku dead-letter retry`

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::config::parse_time;
use crate::dead_letters::Store;
use crate::dead_letters::requests::{Requests, take_answer};

/// How often it is looked for the answer.
const LOOK: Duration = Duration::from_millis(50);

/// Deliver letters after all
///
/// The server does it: an entry or a message is checked again and taken as if it were sent now, with its sender, tag and
/// time of receipt; what an output gave up goes to that output again. Each letter once, however often this is asked and
/// whatever crashes. What still can't be taken stays a letter.
#[derive(Debug, clap::Args)]
pub(super) struct Retry {
    #[command(flatten)]
    selection: Selection,
    /// How long to wait for the server; without an answer the request is taken up when a server runs
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time, help_heading = "Options")]
    wait: Duration,
    /// Print what became of each letter as JSON lines
    #[arg(long, help_heading = "Options")]
    json: bool,
}

impl Retry {
    pub(super) fn execute(self, data_dir: &Path) -> Result<ExitCode, DeadLetterError> {
        let mut ids = Vec::new();
        let (scan, _) = Store::new(data_dir).read(&self.selection.filter(), |id, _, _| {
            ids.push(id);
            ControlFlow::<()>::Continue(())
        })?;
        mention(&scan);
        if ids.is_empty() {
            crate::cli::complain("no dead letters to retry");
            return Ok(ExitCode::SUCCESS);
        }
        let request = Requests::new(data_dir).place(&ids)?;
        let started = Instant::now();
        let answers = loop {
            if let Some(answers) = take_answer(&request)? {
                break answers;
            }
            if started.elapsed() >= self.wait {
                return Err(DeadLetterError::Unanswered { letters: ids.len(), request });
            }
            wait_a_moment();
        };
        let retried = answers.iter().filter(|answer| answer.retried).count();
        let mut out = io::stdout().lock();
        for answer in &answers {
            if self.json {
                writeln!(out, "{}", serde_json::json!(answer))?;
            } else if !answer.retried {
                writeln!(out, "{}  not retried: {}", answer.letter, answer.detail)?;
            }
        }
        if !self.json {
            writeln!(out, "retried {retried} of {} letters", answers.len())?;
        }
        Ok(if retried == answers.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[expect(clippy::disallowed_methods, reason = "a file in a folder tells nobody that it has come")]
fn wait_a_moment() {
    std::thread::sleep(LOOK);
}
