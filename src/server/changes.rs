//! Changes of what outputs take, between two starts: no event falls between outputs.
//!
//! Outputs read the journal at paces of their own. Where `match`, `where`, `require` or a filter changed, one output may
//! have passed an event by the rules before, and another may leave it by those of now. So what each output takes, and
//! from which position on, is kept:
//!
//! ```text
//! DATA_DIR/routing.json
//! {"version": 1, "journal": "…", "outputs": {"ID": {"rules": "2:SHA-256", "since": [segment, offset, entry]}}}
//! ```
//!
//! The rules of an output hold from where its cursor was when they changed. The fallback leaves an event to another output
//! only where that one's rules hold; and if rules changed, it goes back to where the first of those outputs was. So it
//! takes whatever it can't prove was taken: twice rather than nowhere. Behind all those positions nothing is special.
//! What lies before the cursor of an output that is gone is held for that output.

mod fingerprint;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fingerprint::{fingerprint, is_of};
use serde::{Deserialize, Serialize};

use crate::config::{Config, OutputConfig, OutputTake, StartAt};
use crate::journal::durable::replace_file;
use crate::journal::{CursorError, CursorFolder, Journal, Position};
use crate::pipeline::Pipeline;
use crate::storage::{Storage, read_file};

const VERSION: u32 = 1;

/// Nobody can tell what outputs took before. The operator must act; nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "{} is damaged: {reason}. Remove it to start without; if what outputs take was changed as well, events between \
         their cursors may then be delivered by none",
        path.display()
    )]
    Damaged { path: PathBuf, reason: String },
    #[error("{} has format {found}, and this hikyaku reads format {VERSION}: use a newer hikyaku", path.display())]
    Version { path: PathBuf, found: u32 },
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// What outputs take, as the last start knew it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    version: u32,
    journal: String,
    outputs: BTreeMap<String, Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    rules: String,
    since: (u64, u64, u32),
}

impl Known {
    fn since(&self) -> Position {
        let (segment, offset, entry) = self.since;
        Position { segment, offset, entry }
    }
}

/// Compares what outputs take with what they took before, and sees to it that the fallback takes what may have fallen
/// between them. After recovery, and before any output is opened.
pub(super) fn follow(
    journal: &Journal,
    config: &Config,
    pipeline: Pipeline,
) -> Result<Pipeline, ChangesError> {
    let storage = journal.storage();
    let path = config.server.data_dir.join("routing.json");
    let cursors = CursorFolder::on(storage.clone(), &config.server.data_dir);
    let journal_name = journal_name(journal);
    let before = load(storage.as_ref(), &path)?.filter(|record| record.journal == journal_name);

    let mut now = Record { version: VERSION, journal: journal_name, outputs: BTreeMap::new() };
    let mut changed = Vec::new();
    for output in &config.outputs {
        let cursor = cursors.load(&output.id)?.filter(|cursor| cursor.journal == journal.id());
        let here = match (cursor, output.start) {
            // What it delivers again it has delivered by the rules of before.
            (Some(cursor), _) => cursor.resumed().position,
            (None, StartAt::Newest) => journal.newest(),
            (None, StartAt::Oldest) => journal.oldest(),
        };
        let rules = fingerprint(config, output);
        let since = match before.as_ref().map(|before| before.outputs.get(&output.id)) {
            // The version before kept nothing of it.
            None => Position::new(0, 0),
            Some(Some(known)) if is_of(&known.rules, config, output) => known.since(),
            Some(known) => {
                if known.is_some() && !matches!(output.take, OutputTake::Fallback) {
                    changed.push((output.id.as_str(), here));
                }
                here
            }
        };
        now.outputs
            .insert(output.id.clone(), Known { rules, since: (since.segment, since.offset, since.entry) });
    }
    let fallback = config.outputs.iter().find(|output| matches!(output.take, OutputTake::Fallback));
    let pipeline = match fallback {
        None => pipeline,
        Some(fallback) => {
            let from = go_back(&cursors, journal, &fallback.id, &changed)?;
            let earlier = earlier_pipelines(config, &pipeline, &now, &fallback.id, from);
            pipeline.with_earlier(&fallback.id, earlier)
        }
    };
    if before.as_ref() != Some(&now) {
        save(storage.as_ref(), &path, &now);
    }
    Ok(pipeline)
}

/// From which position on an output takes what it takes today; `None` where that is not known. The fallback and the output
/// for invalid events take what others leave, so that it is theirs as well.
pub(super) fn rules_since(
    journal: &Journal,
    config: &Config,
    output: &OutputConfig,
) -> Result<Option<Position>, ChangesError> {
    let path = config.server.data_dir.join("routing.json");
    let journal_name = journal_name(journal);
    let record = load(journal.storage().as_ref(), &path)?.filter(|record| record.journal == journal_name);
    let Some(record) = record else { return Ok(None) };
    let takes_what_is_left = matches!(output.take, OutputTake::Fallback | OutputTake::Invalid);
    let counts = |id: &String| takes_what_is_left || *id == output.id;
    Ok(record.outputs.iter().filter(|(id, _)| counts(id)).map(|(_, known)| known.since()).max())
}

/// The journal's id, as files name it.
pub(super) fn journal_name(journal: &Journal) -> String {
    format!("{:032x}", u128::from_be_bytes(journal.id()))
}

/// Takes the fallback back to where the first of the outputs was whose rules changed; gives where it goes on.
fn go_back(
    cursors: &CursorFolder,
    journal: &Journal,
    id: &str,
    changed: &[(&str, Position)],
) -> Result<Position, CursorError> {
    let Some(cursor) = cursors.load(id)?.filter(|cursor| cursor.journal == journal.id()) else {
        return Ok(Position::new(0, 0));
    };
    let Some((first, position)) = changed.iter().min_by_key(|(_, position)| *position) else {
        return Ok(cursor.position);
    };
    let back = cursor.within(*position);
    if back != cursor {
        tracing::warn!(
            output = id, changed = first, from = %position, to = %cursor.position,
            "what outputs take has changed: the fallback goes back to where the first of them is, so that no event falls \
             between them; some may be delivered twice"
        );
        // Without the counts of throttle filters: those belong to where it was, and windows begin anew.
        cursors.save(id, &back)?;
    }
    Ok(back.position)
}

/// What the fallback uses before each position from which on the rules of another output hold: the outputs whose rules
/// hold there already.
fn earlier_pipelines(
    config: &Config,
    pipeline: &Pipeline,
    now: &Record,
    fallback: &str,
    from: Position,
) -> Vec<(Position, Pipeline)> {
    let since = |id: &str| now.outputs.get(id).map_or(Position::new(0, 0), Known::since);
    let others = config.outputs.iter().filter(|output| output.id != fallback);
    let mut positions: Vec<Position> =
        others.map(|output| since(&output.id)).filter(|since| *since > from).collect();
    positions.sort_unstable();
    positions.dedup();
    positions
        .into_iter()
        .map(|until| {
            let holds = |id: &str| id == fallback || since(id) < until;
            (until, pipeline.clone().only_for(holds))
        })
        .collect()
}

fn load(storage: &dyn Storage, path: &Path) -> Result<Option<Record>, ChangesError> {
    let bytes =
        read_file(storage, path).map_err(|source| ChangesError::Read { path: path.to_owned(), source })?;
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged =
        |error: serde_json::Error| ChangesError::Damaged { path: path.to_owned(), reason: error.to_string() };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let found = value["version"].as_u64().and_then(|version| u32::try_from(version).ok()).unwrap_or_default();
    if found > VERSION {
        return Err(ChangesError::Version { path: path.to_owned(), found });
    }
    serde_json::from_value(value).map(Some).map_err(damaged)
}

/// Without it the next start finds the same changes again, with outputs that are further: the fallback goes back then.
fn save(storage: &dyn Storage, path: &Path, record: &Record) {
    let saved = serde_json::to_vec(record)
        .map_err(io::Error::other)
        .and_then(|bytes| Ok(replace_file(storage, path, &bytes)?));
    if let Err(error) = saved {
        tracing::warn!(%error, path = %path.display(), "cannot save what outputs take; the next start tries again");
    }
}

#[cfg(test)]
mod tests;
