//! `hikyaku dead-letter retry`

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::segments::Found;
use super::selection::Selection;
use super::{DeadLetterError, mention};
use crate::cli::counted::counted;
use crate::cli::progress::progress_bar;
use crate::config::parse_time;
use crate::dead_letters::requests::{Answer, Requests, take_answer};
use crate::dead_letters::segment_requests::{SegmentAnswer, SegmentRequest};
use crate::dead_letters::{LetterId, Store};
use crate::journal::SetAside;

/// Bytes of a line about a letter that was retried.
const SETTLED_LINE: u64 = "6c0a4e1b8d2f9733 retried\n".len() as u64;

/// How often it is looked for the answer.
const LOOK: Duration = Duration::from_millis(50);

/// Deliver letters after all, and what outputs left behind
///
/// The server does it: an entry or a message is checked again and taken as if it were sent now, with its sender, tag and
/// time of receipt; what an output gave up goes to that output again. So does what an output left behind at
/// `max_backlog`, by the filters of today, and no faster than the output takes it. Each of it once, however often this is
/// asked and whatever crashes. What still can't be taken stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku dead-letter retry --output upstream
  hikyaku dead-letter retry --letter 6c0a4e1b8d2f9733 --wait 5m")]
pub(super) struct Retry {
    #[command(flatten)]
    selection: Selection,
    /// How long to wait for the server while nothing gets on; without an answer the request stays for it
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time, help_heading = "Options")]
    wait: Duration,
    /// Also what outputs left behind where a segment is damaged, or where filters or what the output takes have changed
    /// since
    #[arg(long, help_heading = "Options")]
    anyway: bool,
    /// Print what became of each letter and segment as JSON lines
    #[arg(long, help_heading = "Options")]
    json: bool,
}

impl Retry {
    pub(super) fn execute(self, data_dir: &Path) -> Result<ExitCode, DeadLetterError> {
        let letters = self.letters(data_dir)?;
        let left_behind = Found::whole(data_dir, &self.selection)?;
        left_behind.mention();
        if letters.is_empty() && left_behind.segments.is_empty() {
            crate::cli::complain("no dead letters to retry");
            return Ok(ExitCode::SUCCESS);
        }
        let mut all_retried = true;
        if !letters.is_empty() {
            all_retried &= self.retry_letters(data_dir, &letters)?;
        }
        for segments in left_behind.by_output() {
            let numbers = segments.iter().map(|left| left.segment.segment).collect();
            let request = SegmentRequest::new(&segments[0].output, numbers, self.anyway);
            all_retried &= self.retry_segments(data_dir, &request)?;
        }
        Ok(if all_retried { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn letters(&self, data_dir: &Path) -> Result<Vec<LetterId>, DeadLetterError> {
        let mut ids = Vec::new();
        if self.selection.takes_letters() {
            let (scan, _) = Store::new(data_dir).read(&self.selection.filter(), |id, _, _| {
                ids.push(id);
                ControlFlow::<()>::Continue(())
            })?;
            mention(&scan);
        }
        Ok(ids)
    }

    fn retry_letters(&self, data_dir: &Path, letters: &[LetterId]) -> Result<bool, DeadLetterError> {
        let log = Store::new(data_dir).folder().join("settled.log");
        // The server settles what it has retried, many letters at once: a line each.
        let settled = || std::fs::metadata(&log).map_or(0, |file| file.len());
        let before = settled();
        let request = Requests::new(data_dir).place(letters)?;
        let bar = progress_bar(letters.len() as u64);
        let what = || format!("the {}", counted(letters.len(), "letter"));
        let progress = || {
            let now = settled();
            bar.set_position(now.saturating_sub(before) / SETTLED_LINE);
            Ok(now)
        };
        let answers: Result<Vec<Answer>, _> = self.wait_for_answer(request, what, progress);
        ProgressBar::finish_and_clear(&bar);
        let answers = answers?;
        let retried = answers.iter().filter(|answer| answer.retried).count();
        self.print(&answers, |answer| {
            (!answer.retried).then(|| format!("{}  not retried: {}", answer.letter, answer.detail))
        })?;
        if !self.json {
            writeln!(io::stdout(), "retried {retried} of {}", counted(answers.len(), "letter"))?;
        }
        Ok(retried == answers.len())
    }

    fn retry_segments(&self, data_dir: &Path, request: &SegmentRequest) -> Result<bool, DeadLetterError> {
        let left = Left { set_aside: SetAside::new(data_dir), request };
        let total = left.bytes()?;
        let bar = progress_bar(total);
        let path = request.place(&Requests::new(data_dir))?;
        let what =
            || format!("the {} of output {}", counted(request.segments.len(), "segment"), request.output);
        let progress = || {
            let left = left.bytes()?;
            bar.set_position(total.saturating_sub(left));
            Ok(left)
        };
        let answers: Result<Vec<SegmentAnswer>, _> = self.wait_for_answer(path, what, progress);
        ProgressBar::finish_and_clear(&bar);
        let answers = answers?;
        let retried = answers.iter().filter(|answer| answer.retried).count();
        self.print(&answers, |SegmentAnswer { segment, chunks, detail, retried, .. }| {
            (!retried).then(|| {
                format!("segment {segment}  not retried ({} delivered): {detail}", counted(*chunks, "chunk"))
            })
        })?;
        if !self.json {
            let (chunks, events) = (answers.iter())
                .fold((0, 0), |(chunks, events), answer| (chunks + answer.chunks, events + answer.events));
            writeln!(
                io::stdout(),
                "retried {retried} of {} of output {}: {}, {} before filters",
                counted(answers.len(), "segment"),
                request.output,
                counted(chunks, "chunk"),
                counted(events, "event"),
            )?;
        }
        Ok(retried == answers.len())
    }

    /// Waits for the answer as long as there is progress, which is any change of a number.
    fn wait_for_answer<A: DeserializeOwned>(
        &self,
        request: PathBuf,
        what: impl Fn() -> String,
        progress: impl Fn() -> Result<u64, DeadLetterError>,
    ) -> Result<Vec<A>, DeadLetterError> {
        let (mut last, mut since) = (progress()?, Instant::now());
        loop {
            if let Some(answers) = take_answer(&request)? {
                return Ok(answers);
            }
            let now = progress()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() >= self.wait {
                return Err(DeadLetterError::Unanswered { what: what(), request });
            }
            wait_a_moment();
        }
    }

    fn print<A: Serialize>(
        &self,
        answers: &[A],
        complaint: impl Fn(&A) -> Option<String>,
    ) -> Result<(), DeadLetterError> {
        let mut out = io::stdout().lock();
        for answer in answers {
            if self.json {
                writeln!(out, "{}", serde_json::json!(answer))?;
            } else if let Some(complaint) = complaint(answer) {
                writeln!(out, "{complaint}")?;
            }
        }
        Ok(())
    }
}

/// What is left of the segments of a request.
struct Left<'a> {
    set_aside: SetAside,
    request: &'a SegmentRequest,
}

impl Left<'_> {
    /// Bytes behind where each of them begins now.
    fn bytes(&self) -> Result<u64, DeadLetterError> {
        let segments = self.set_aside.segments(&self.request.output)?;
        let asked = segments.iter().filter(|segment| self.request.segments.contains(&segment.segment));
        Ok(asked.map(|segment| segment.bytes.saturating_sub(segment.from.position.offset)).sum())
    }
}

#[expect(clippy::disallowed_methods, reason = "a file in a folder tells nobody that it has come")]
fn wait_a_moment() {
    std::thread::sleep(LOOK);
}
