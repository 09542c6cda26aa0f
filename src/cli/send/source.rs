//! Events that come as JSON lines on standard input.

use std::io::{self, BufRead};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::chunks::ChunkBuilder;
use super::json::{LineError, write_entry};
use super::report::Report;
use crate::client::chunks::OutgoingChunk;
use crate::event_time::EventTime;

/// Longest line that is read, in bytes.
const MAX_LINE_LENGTH: usize = 4 * 1024 * 1024;

/// Lines that wait to be made into chunks, so that a slow server slows the reading down.
const LINE_QUEUE_LENGTH: usize = 1024;

/// How long lines wait for more before they go out.
const LINE_DELAY: Duration = Duration::from_millis(200);

/// The source can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("cannot read standard input: {0}")]
    Input(#[from] io::Error),
    #[error("line {0} is longer than {MAX_LINE_LENGTH} bytes: it and what follows was not sent")]
    LineTooLong(u64),
    #[error("stopped behind line {0}: what follows was not sent")]
    Stopped(u64),
}

/// Feeds chunks to the connections until there are no more lines, or no connections, or `stop` is cancelled.
pub(super) async fn feed_lines(
    mut chunks: ChunkBuilder,
    queue: mpsc::Sender<OutgoingChunk>,
    report: &Report,
    stop: &CancellationToken,
) -> Result<(), SourceError> {
    // Reading from a terminal or a pipe blocks, and only a thread of its own can be left behind when the
    // connections have ended.
    let (line_sender, mut lines) = mpsc::channel(LINE_QUEUE_LENGTH);
    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || read_lines(&line_sender))?;
    let mut number = 0;
    let mut stopped = Ok(());
    let mut flush_at = None;
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            () = queue.closed() => return Ok(()),
            () = stop.cancelled() => {
                stopped = Err(SourceError::Stopped(number));
                break;
            }
            () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                flush_at = None;
                if let Some(chunk) = chunks.finish() && queue.send(chunk).await.is_err() {
                    return Ok(());
                }
                continue;
            }
        };
        let Some(line) = line else { break };
        let line: Vec<u8> = line?;
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match write_entry(chunks.entries(), EventTime::now(), &line) {
            Ok(()) => {
                flush_at.get_or_insert_with(|| Instant::now() + LINE_DELAY);
                if let Some(chunk) = chunks.added() {
                    flush_at = None;
                    if queue.send(chunk).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Err(error) => refuse(report, number, &error),
        }
    }
    if let Some(chunk) = chunks.finish() {
        // The connections tell why they ended.
        let _ = queue.send(chunk).await;
    }
    stopped
}

fn refuse(report: &Report, number: u64, error: &LineError) {
    report.refuse_line(&format!("line {number} was not sent: {error}"));
}

fn read_lines(lines: &mpsc::Sender<Result<Vec<u8>, SourceError>>) {
    let mut input = io::stdin().lock();
    let mut number = 0;
    loop {
        number += 1;
        let mut line = Vec::new();
        let read = io::Read::take(&mut input, MAX_LINE_LENGTH as u64 + 1).read_until(b'\n', &mut line);
        let line = match read {
            Ok(0) => return,
            Ok(_) if line.len() > MAX_LINE_LENGTH => Err(SourceError::LineTooLong(number)),
            Ok(_) => Ok(line),
            Err(error) => Err(error.into()),
        };
        let last = line.is_err();
        if lines.blocking_send(line).is_err() || last {
            return;
        }
    }
}
