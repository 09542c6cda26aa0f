//! Segments that an output left behind and that an operator wants delivered to it after all.
//!
//! Their chunks go into the journal once more, as they were received, for that output alone; behind it everything is
//! as always. Once each, also over a crash:
//!
//! ```text
//! chunks of the segment ── append ──▶ journal, synced ──▶ `.from` moves behind them ──▶ at the end the segment goes
//! ```
//!
//! A chunk that was appended, and that `.from` has not passed yet, is read again after a crash; it has the same id then,
//! made of its place, and the journal takes it for a resend. `.from` moves every few chunks, so those are the last few
//! that the journal took, and it has not forgotten them.
//!
//! Nothing is appended while the output is far behind: what is retried must not make it leave segments behind again.

mod segment_run;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::changes::rules_since;
use crate::config::{Config, OutputTake};
use crate::dead_letters::StoreError;
use crate::dead_letters::requests::{self, Requests};
use crate::dead_letters::segment_requests::{SegmentAnswer, SegmentRequest};
use crate::journal::{CursorFolder, Journal};
use segment_run::{Pace, SegmentRun, Taken};

/// How often it is looked for requests.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often answers that nobody took are looked for, and what is set aside is measured.
const TIDY_INTERVAL: Duration = Duration::from_secs(60);

/// Takes up requests.
#[derive(Debug)]
pub(super) struct SetAsideRetries {
    config: Arc<Config>,
    journal: Journal,
    flush_requests: watch::Sender<u64>,
}

/// Why a segment is not retried, or not to its end.
#[derive(Debug)]
enum Failure {
    /// In words.
    Refused(String),
    /// The server is stopping, or its journal has failed.
    Stopped,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Refused(error.to_string())
    }
}

impl SetAsideRetries {
    pub(super) fn new(config: &Arc<Config>, journal: &Journal, flush_requests: watch::Sender<u64>) -> Self {
        Self { config: Arc::clone(config), journal: journal.clone(), flush_requests }
    }

    /// Takes up what is asked for, and keeps the folder of requests tidy, until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let retries = Arc::new(self);
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut tidied: Option<Instant> = None;
        let mut fails = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let tidies = tidied.is_none_or(|tidied| tidied.elapsed() >= TIDY_INTERVAL);
            if tidies {
                tidied = Some(Instant::now());
            }
            let (retries, stop) = (Arc::clone(&retries), stop.clone());
            let work = move || {
                let tidied = if tidies { retries.tidy() } else { Ok(()) };
                retries.take_up(&Handle::current(), &stop).and(tidied)
            };
            match tokio::task::spawn_blocking(work).await {
                Ok(Ok(())) => fails = false,
                Ok(Err(error)) if !fails => {
                    fails = true;
                    tracing::error!(%error, "cannot retry what is set aside among the dead letters; trying again");
                }
                Ok(Err(_)) => {}
                Err(error) => {
                    tracing::error!(%error, "retrying what is set aside panicked: please report this");
                    return;
                }
            }
        }
    }

    fn data_dir(&self) -> &Path {
        &self.config.server.data_dir
    }

    fn tidy(&self) -> Result<(), StoreError> {
        let removed = Requests::new(self.data_dir()).tidy(SystemTime::now())?;
        if removed > 0 {
            tracing::info!(
                answers = removed,
                "removed answers to hikyaku dead-letter retry that nobody waits for"
            );
        }
        let outputs = self.journal.set_aside().outputs();
        if let Err(error) = outputs.and_then(|ids| self.journal.measure_set_aside(&ids)) {
            tracing::warn!(%error, "cannot see how much is set aside");
        }
        Ok(())
    }

    fn take_up(&self, runtime: &Handle, stop: &CancellationToken) -> Result<(), StoreError> {
        for path in SegmentRequest::waiting(&Requests::new(self.data_dir()))? {
            let request = SegmentRequest::read(&path)?;
            let mut answers = Vec::new();
            for segment in request.iter().flat_map(|request| &request.segments) {
                let Some(request) = &request else { continue };
                let mut taken = Taken::default();
                let retried = match self.retry(request, *segment, &mut taken, runtime, stop) {
                    Ok(()) => Ok("given to its output again".to_owned()),
                    Err(Failure::Refused(detail)) => Err(detail),
                    // The request stays.
                    Err(Failure::Stopped) => return Ok(()),
                };
                answers.push(self.answer(request, *segment, &taken, retried));
            }
            requests::answer(&path, &answers)?;
        }
        Ok(())
    }

    fn answer(
        &self,
        request: &SegmentRequest,
        segment: u64,
        taken: &Taken,
        retried: Result<String, String>,
    ) -> SegmentAnswer {
        let output = request.output.clone();
        let Taken { chunks, events } = *taken;
        match &retried {
            Ok(_) => {
                tracing::info!(output, segment, chunks, events, "a segment that was set aside is retried")
            }
            Err(reason) => {
                tracing::warn!(
                    output,
                    segment,
                    chunks,
                    events,
                    reason,
                    "a segment that was set aside stays so"
                );
            }
        }
        if let Err(error) = self.journal.measure_set_aside(std::slice::from_ref(&output)) {
            tracing::warn!(%error, "cannot see how much is set aside");
        }
        let is_retried = retried.is_ok();
        let detail = retried.unwrap_or_else(|detail| detail);
        SegmentAnswer { output, segment, retried: is_retried, chunks, events, detail }
    }

    fn retry(
        &self,
        request: &SegmentRequest,
        segment: u64,
        taken: &mut Taken,
        runtime: &Handle,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let refused = |reason: &str| Err(Failure::Refused(reason.to_owned()));
        let id = &request.output;
        let output = self.config.outputs.iter().find(|output| output.id == *id);
        let Some(output) = output.filter(|output| !matches!(output.take, OutputTake::Secondary)) else {
            return refused("the configuration has no output of that id that reads the journal");
        };
        let set_aside = self.journal.set_aside();
        let found = set_aside.segments(id)?.into_iter().find(|found| found.segment == segment);
        let Some(found) = found else {
            return refused("it is not set aside: it was retried or dropped before");
        };
        let is_of_this_journal = found.from.journal == self.journal.id();
        let cursor = CursorFolder::new(self.data_dir()).load(id)?;
        if cursor.is_none_or(|cursor| !found.is_left_by(&cursor)) {
            return refused("its output is just leaving it behind: try again in a moment");
        }
        if !request.anyway {
            let rules = rules_since(&self.journal, &self.config, output)?.filter(|_| is_of_this_journal);
            if rules.is_none_or(|since| since > found.from.position) {
                return refused(
                    "filters, or what the output takes, have changed since; by the rules of today some of its events \
                     may go nowhere. Say --anyway to deliver it by them",
                );
            }
            let verdict = set_aside.inspection(id).verify(segment)?;
            if !verdict.is_intact() {
                return refused(&format!(
                    "{} bytes of it are damaged. Say --anyway to deliver the rest and lose them",
                    verdict.damaged_bytes
                ));
            }
        }
        let pace =
            Pace { journal: &self.journal, output, flush_requests: &self.flush_requests, runtime, stop };
        SegmentRun::new(pace, &found, taken).execute(self.data_dir())
    }
}

#[cfg(test)]
mod tests;
