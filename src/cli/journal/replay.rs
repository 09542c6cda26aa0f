//! `hikyaku journal replay`

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::replayed_files::Files;
use super::time::parse_point;
use super::{JournalError, ls, progress_bar, time_text};
use crate::cli::counted::counted;
use crate::event_time::EventTime;
use crate::journal::inspect::Inspection;
use crate::journal::replay::{Found, Request, RequestKind};
use crate::journal::{CursorFolder, Journal, OpenError, SavedCursor};
use crate::storage::{disk, folder_of};

/// How long a running server gets to take a request up before the command ends without having seen it.
const TAKE_UP_PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a running server has come further.
const POLL: Duration = Duration::from_millis(100);

/// Deliver once more what an output has delivered and the journal still keeps
///
/// Chunks that were received from FROM up to TO go through the filters and to the output again, as the configuration is
/// now; then the output goes on where it was, without a gap. What it has not delivered yet is not replayed: it comes
/// anyway. The numbers that are printed are of what is saved as delivered; what is delivered before the server takes the
/// request up is replayed as well, where it is of that time.
///
/// A file output appends the lines again, to the files that they belong to, also where these have them already: move
/// those files away first if they are to be made anew. A forward output sends under new ids, so that nobody upstream
/// takes it for a repeat.
///
/// The server may run or not: one that runs takes the request up within seconds, one that does not when it starts. How
/// far back a replay can go is set by `journal.retain`. An output that is new must have been started once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku journal replay --output archive --from 2h --dry-run    how much would it be?
  hikyaku journal replay --output archive --from 2h --wait
  hikyaku journal replay --output archive --cancel")]
pub(super) struct Replay {
    /// The id of the output
    #[arg(long, value_name = "ID")]
    output: String,
    /// Received at or after: 2026-11-21T09:30:00Z, or how long ago: 2h, 30m, 7d
    #[arg(long, value_name = "TIME", required_unless_present = "cancel", allow_hyphen_values = true)]
    from: Option<String>,
    /// Received before [default: everything that was delivered]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,
    /// Only tell how much it would be, and how many files of a file output get lines once more
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: name these files, with their lines
    #[arg(long, requires = "dry_run")]
    files: bool,
    /// Give up the replay that goes on or was asked for: the output goes on where it was before
    #[arg(long, conflicts_with_all = ["from", "to", "dry_run", "wait"])]
    cancel: bool,
    /// Stay until the replay is delivered; only while the server runs
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn execute(&self, data_dir: &Path, config: &Path) -> Result<ExitCode, JournalError> {
        let cursors = CursorFolder::new(data_dir);
        let Some(cursor) = cursors.load(&self.output)? else {
            return Err(JournalError::UnknownOutput {
                id: self.output.clone(),
                data_dir: data_dir.to_owned(),
                known: cursors.ids()?.join(", "),
            });
        };
        if self.cancel {
            return self.cancel(data_dir, &cursors, &cursor);
        }
        if cursor.replays.current.is_some() {
            return Err(JournalError::Invalid(format!(
                "output {} is in the middle of a replay. Wait for its end, or give it up with --cancel",
                self.output
            )));
        }
        let found = self.find(data_dir, &cursor)?;
        if self.dry_run {
            let files = Files::find(data_dir, config, &self.output, &found, cursor.position)?;
            return self.say(&found, cursor.replays.count + 1, "dry_run", &files);
        }
        let until = Some(found.until);
        let number = cursor.replays.count + 1;
        let kind = RequestKind::Replay { from: found.from, until };
        self.ask(data_dir, &cursors, &Request { journal: cursor.journal, number, kind })?;
        let state = if !is_running(data_dir)? {
            "at_next_start"
        } else if until_taken_up(&cursors, &self.output)? {
            match cursors.load(&self.output)? {
                Some(cursor) if cursor.replays.count >= number => "started",
                _ => {
                    return Err(JournalError::Invalid(format!(
                        "output {} did not take the replay up; the server's log says why",
                        self.output
                    )));
                }
            }
        } else {
            "requested"
        };
        let code = self.say(&found, number, state, &Files::None)?;
        if self.wait && state == "started" {
            self.until_delivered(data_dir, &cursors, &found, number)?;
        }
        Ok(code)
    }

    fn find(&self, data_dir: &Path, cursor: &SavedCursor) -> Result<Found, JournalError> {
        let now = EventTime::now();
        let point = |name: &str, text: &Option<String>| {
            let parsed = text.as_deref().map(|text| parse_point(text, now)).transpose();
            parsed.map_err(|error| JournalError::Arguments(format!("--{name}: {error}")))
        };
        let (from, to) = (point("from", &self.from)?.unwrap_or(now), point("to", &self.to)?);
        if to.is_some_and(|to| to <= from) {
            return Err(JournalError::Arguments("--to must be later than --from".to_owned()));
        }
        let inspection = Inspection::new(data_dir);
        let bar = progress_bar(inspection.segments()?.len() as u64);
        let found = inspection.received(from, to, cursor.position, |_| bar.inc(1))?;
        bar.finish_and_clear();
        match found {
            None => Err(JournalError::Invalid(
                "the journal keeps nothing that was received in this time: `hikyaku journal ls` shows what there is, \
                 and journal.retain says how long it is kept"
                    .to_owned(),
            )),
            Some(found) if found.delivered.chunks == 0 => Err(JournalError::Invalid(format!(
                "output {} has delivered nothing of that time yet: it is going to, without a replay",
                self.output
            ))),
            Some(found) => Ok(found),
        }
    }

    fn cancel(
        &self,
        data_dir: &Path,
        cursors: &CursorFolder,
        cursor: &SavedCursor,
    ) -> Result<ExitCode, JournalError> {
        let state = if cursor.replays.current.is_some() {
            let number = cursor.replays.count;
            let request = Request { journal: cursor.journal, number, kind: RequestKind::Cancel };
            self.ask(data_dir, cursors, &request)?;
            match is_running(data_dir)? {
                false => "at_next_start",
                true if until_taken_up(cursors, &self.output)? => "cancelled",
                true => "requested",
            }
        } else if cursors.request(&self.output)?.is_some() {
            cursors.forget_request(&self.output)?;
            "withdrawn"
        } else {
            return Err(JournalError::Invalid(format!("output {} is in no replay", self.output)));
        };
        let mut out = io::stdout().lock();
        match (self.json, state) {
            (true, _) => writeln!(out, "{}", serde_json::json!({ "output": self.output, "state": state }))?,
            (_, "cancelled") => writeln!(out, "output {} goes on where it was", self.output)?,
            (_, "withdrawn") => writeln!(out, "the replay of output {} will not begin", self.output)?,
            (_, "at_next_start") => {
                writeln!(
                    out,
                    "the server is not running; output {} gives the replay up when it starts",
                    self.output
                )?;
            }
            _ => writeln!(out, "output {} gives the replay up as soon as it can", self.output)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Puts a request beside the cursor, for whoever the server runs as.
    fn ask(&self, data_dir: &Path, cursors: &CursorFolder, request: &Request) -> Result<(), JournalError> {
        let path = cursors.ask(&self.output, request)?;
        let (server, own) = (std::fs::metadata(folder_of(&path))?, std::fs::metadata(&path)?);
        use std::os::unix::fs::{MetadataExt, chown};
        if (server.uid(), server.gid()) != (own.uid(), own.gid()) {
            chown(&path, Some(server.uid()), Some(server.gid())).map_err(|error| {
                JournalError::Invalid(format!(
                    "cannot hand {} to the owner of {}: {error}. Run this as that user",
                    path.display(),
                    data_dir.display()
                ))
            })?;
        }
        Ok(())
    }

    fn say(&self, found: &Found, number: u64, state: &str, files: &Files) -> Result<ExitCode, JournalError> {
        let delivered = &found.delivered;
        let (first, last) = delivered.received.unwrap_or_default();
        let mut out = io::stdout().lock();
        if self.json {
            let mut answer = serde_json::json!({
                "output": self.output,
                "state": state,
                "number": number,
                "from": found.from.to_string(),
                "until": found.until.to_string(),
                "chunks": delivered.chunks,
                "events": delivered.events,
                "bytes": delivered.bytes,
                "first_received_at": time_text(first),
                "last_received_at": time_text(last),
            });
            files.add_to(&mut answer, self.files);
            writeln!(out, "{answer}")?;
            return Ok(ExitCode::SUCCESS);
        }
        writeln!(
            out,
            "output {}: {}, {} before filters, {}, received from {} to {}",
            self.output,
            counted(delivered.chunks, "chunk"),
            counted(delivered.events, "event"),
            counted(delivered.bytes, "byte"),
            time_text(first),
            time_text(last),
        )?;
        files.write(&mut out, self.files)?;
        let what = match state {
            "dry_run" => "nothing was done; without --dry-run all of it is delivered once more",
            "at_next_start" => "the server is not running: all of it is delivered once more when it starts",
            "started" => "all of it is being delivered once more",
            _ => {
                "the server has the request and takes it up as soon as everything that is under way is delivered. Is the \
                 output in the running configuration? See the server's log, or withdraw the request with --cancel"
            }
        };
        writeln!(out, "{what}")?;
        Ok(ExitCode::SUCCESS)
    }

    /// Follows the cursor to the end of the replay.
    fn until_delivered(
        &self,
        data_dir: &Path,
        cursors: &CursorFolder,
        found: &Found,
        number: u64,
    ) -> Result<(), JournalError> {
        let inspection = Inspection::new(data_dir);
        let mut segments = Vec::new();
        for segment in inspection.segments()? {
            segments.push(inspection.summary(segment)?);
        }
        let behind = |position| ls::bytes_from(&segments, position);
        let total = behind(found.from).saturating_sub(behind(found.until));
        let bar = progress_bar(total);
        while let Some(cursor) = cursors.load(&self.output)? {
            let Some(replay) = cursor.replays.current.filter(|_| cursor.replays.count == number) else {
                break;
            };
            bar.set_position(
                total.saturating_sub(behind(cursor.position).saturating_sub(behind(replay.until))),
            );
            if !is_running(data_dir)? {
                return Err(JournalError::Invalid(
                    "the server has ended; it goes on with the replay when it starts".to_owned(),
                ));
            }
            pause();
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// Whether a request is gone within the time that a server needs to see it.
fn until_taken_up(cursors: &CursorFolder, id: &str) -> Result<bool, JournalError> {
    let deadline = Instant::now() + TAKE_UP_PATIENCE;
    while cursors.request(id)?.is_some() {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        pause();
    }
    Ok(true)
}

/// Until it is looked again.
#[expect(
    clippy::disallowed_methods,
    reason = "the server is another process, and nothing tells when it has done something"
)]
fn pause() {
    std::thread::sleep(POLL);
}

fn is_running(data_dir: &Path) -> Result<bool, JournalError> {
    // Without the file there never was a server; making it here could give it the wrong owner.
    if disk().stat(&data_dir.join("lock"))?.is_none() {
        return Ok(false);
    }
    match Journal::lock(data_dir) {
        Ok(_) => Ok(false),
        Err(OpenError::InUse { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
