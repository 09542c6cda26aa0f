//! Comparing what is there with what was promised.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::archive::{events, events_in_letters};
use super::given_up::GivenUpLife;
use super::life::Life;
use super::model::Model;
use super::settings::{
    ASIDE, OUTPUTS, PACKED, PLAIN, SPARE, UP, UP_NUMBER, archive_folder, data_dir, folders_of_output,
    given_up_dir, moved_folder,
};
use super::upstream::{Upstream, events_of};
use crate::chunk::HandedOver;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::inspect::{InspectError, Inspection};
use crate::journal::{CursorFolder, Position, SetAside, SetAsideSegment};
use crate::output::file::{DEAD_LETTERS, GIVEN_UP};
use crate::output::given_up::GivenUp;
use crate::storage::Storage;
use crate::storage::simulated::Simulated;

/// Checks everything, after a start and in the end. Gives how many events each output has still to deliver, in the
/// order of [`OUTPUTS`].
pub(super) fn check(
    disk: &Simulated,
    model: &Model,
    upstream: &Upstream,
    life: &mut Life,
    at_rest: bool,
) -> Result<[u64; OUTPUTS.len()], String> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let cursors = CursorFolder::on(storage, data_dir());
    let mut pending = [0; OUTPUTS.len()];
    for (number, id) in OUTPUTS.into_iter().enumerate() {
        let segments = data_dir().join("dead-letters/segments");
        let Some(cursor) = cursors.load(id).map_err(|error| error.to_string())? else { continue };
        if id == UP && life.forward.is_none() {
            continue;
        }
        let mut counts = vec![0; model.events.len()];
        if life.unrecovered.contains(id) {
            // Its files are as the last process left them, until it has gone back to its checkpoint.
            add_pending(disk, model, life, number, cursor.position, &mut counts)?;
            pending[number] = counts.iter().sum::<usize>() as u64;
            continue;
        }
        if id == UP && [SPARE, GIVEN_UP].iter().any(|reader| life.unrecovered.contains(*reader)) {
            // So are those of who takes what it gives up.
            add_under_way(disk, model, upstream, life, &mut counts)?;
            pending[number] = counts.iter().sum::<usize>() as u64;
            continue;
        }
        let takers = [SPARE, ASIDE, GIVEN_UP];
        if id == PLAIN || id == PACKED {
            if takers.iter().any(|reader| life.unrecovered.contains(*reader)) {
                add_pending(disk, model, life, number, cursor.position, &mut counts)?;
                pending[number] = counts.iter().sum::<usize>() as u64;
                continue;
            }
            add_letters(disk, id, &mut counts)?;
            add_on_its_way(disk, model, life, id, &mut counts)?;
        }
        let mut handed_over = counts.clone();
        let aside = archive_folder().join(ASIDE);
        let moved = disk.files_below(moved_folder());
        let moved = moved.iter().filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&format!("{id}-"))
        });
        let folders = folders_of_output(number);
        let own: Vec<_> = folders.iter().flat_map(|folder| disk.files_below(folder)).collect();
        for (path, lenient) in own.iter().map(|path| (path, false)).chain(moved.map(|path| (path, true))) {
            if path.starts_with(&segments) {
                continue;
            }
            let bytes = disk.content(path).unwrap_or_default();
            for event in events(path, &bytes, lenient)? {
                *counts
                    .get_mut(event)
                    .ok_or_else(|| format!("{} has an event that nobody sent", path.display()))? += 1;
                handed_over[event] += usize::from(path.starts_with(&aside));
            }
        }
        let archived: usize;
        if id == UP {
            add_delivered(disk, upstream, &mut counts)?;
            let delivered: usize = counts.iter().sum();
            add_under_way(disk, model, upstream, life, &mut counts)?;
            let under_way = counts.iter().sum::<usize>() - delivered;
            add_left_behind(disk, model, &mut counts)?;
            archived = counts.iter().sum::<usize>() - under_way;
        } else {
            let mut set_aside = vec![0; counts.len()];
            add_set_aside(disk, model, number, &mut set_aside)?;
            for (event, count) in set_aside.into_iter().enumerate() {
                // While an output is not in the configuration nobody looks after what it handed over.
                if !(model.left_out[number] && handed_over[event] > 0) {
                    counts[event] += count;
                }
            }
            archived = counts.iter().sum();
            add_pending(disk, model, life, number, cursor.position, &mut counts)?;
        }
        pending[number] = (counts.iter().sum::<usize>() - archived) as u64;
        model.check(number, &counts, at_rest, life.drops)?;
    }
    check_large_files(disk)?;
    let given_up = life.given_up.as_ref().map_or(0, |given_up| given_up.metrics.damaged_bytes.get());
    let damaged = life.metrics.journal.damaged_bytes.get() + given_up;
    if damaged > 0 {
        return Err(format!("{damaged} bytes of the journal were synced and no longer read back"));
    }
    let given_up = life.given_up.as_ref().map_or(0, |given_up| given_up.metrics.missing_segments.get());
    let missing = life.metrics.journal.missing_segments.get() + given_up;
    if missing > 0 {
        return Err(format!("{missing} journal segments count as missing, and nobody removed any"));
    }
    Ok(pending)
}

/// Counts what a server has, and what is a dead letter in its place.
fn add_delivered(disk: &Simulated, upstream: &Upstream, counts: &mut [usize]) -> Result<(), String> {
    upstream.events().for_each(|event| counts[event] += 1);
    add_letters(disk, UP, counts)
}

/// Counts what became dead letters since an output gave it up.
fn add_letters(disk: &Simulated, output: &str, counts: &mut [usize]) -> Result<(), String> {
    for path in disk.files_below(&given_up_dir().join("dead-letters")) {
        let bytes = disk.content(&path).unwrap_or_default();
        for event in events_in_letters(&path, &bytes, output)? {
            *counts.get_mut(event).ok_or("a dead letter has an event that nobody sent")? += 1;
        }
    }
    Ok(())
}

/// How many events file outputs gave up, once everything is delivered.
pub(super) fn given_up_by_files(disk: &Simulated) -> Result<u64, String> {
    let mut given_up = 0;
    for path in disk.files_below(&archive_folder().join(ASIDE)) {
        given_up += events(&path, &disk.content(&path).unwrap_or_default(), false)?.len() as u64;
    }
    for path in disk.files_below(&given_up_dir().join("dead-letters")) {
        for output in [PLAIN, PACKED] {
            let bytes = disk.content(&path).unwrap_or_default();
            given_up += events_in_letters(&path, &bytes, output)?.len() as u64;
        }
    }
    Ok(given_up)
}

/// Counts what was set aside for the forward output while it was not in the configuration, but for what is somewhere
/// already: what it had delivered or given up since its cursor was saved lies in these segments as well. All else must be
/// counted before.
fn add_left_behind(disk: &Simulated, model: &Model, counts: &mut [usize]) -> Result<(), String> {
    let mut set_aside = vec![0; counts.len()];
    add_set_aside(disk, model, UP_NUMBER, &mut set_aside)?;
    let missing = counts.iter_mut().zip(set_aside).filter(|(count, _)| **count == 0);
    missing.for_each(|(count, set_aside)| *count = set_aside);
    Ok(())
}

/// Counts what the forward output will send that its server does not have, and what it gave up and nobody took yet.
fn add_under_way(
    disk: &Simulated,
    model: &Model,
    upstream: &Upstream,
    life: &mut Life,
    counts: &mut [usize],
) -> Result<(), String> {
    let Life { forward: Some(forward), given_up: Some(GivenUpLife { given_up, .. }), .. } = life else {
        return Ok(());
    };
    for sent in forward.remaining().map_err(|error| error.to_string())? {
        if !upstream.has(&sent) {
            events_of(&sent, model)?.into_iter().for_each(|event| counts[event] += 1);
        }
    }
    on_its_way(disk, model, given_up, UP, counts)
}

/// Counts what a file output gave up and nobody took yet.
fn add_on_its_way(
    disk: &Simulated,
    model: &Model,
    life: &Life,
    output: &str,
    counts: &mut [usize],
) -> Result<(), String> {
    match &life.given_up {
        Some(life) => on_its_way(disk, model, &life.given_up, output, counts),
        None => Ok(()),
    }
}

fn on_its_way(
    disk: &Simulated,
    model: &Model,
    given_up: &GivenUp,
    output: &str,
    counts: &mut [usize],
) -> Result<(), String> {
    for (id, to) in [(SPARE, SPARE), (ASIDE, ASIDE), (GIVEN_UP, DEAD_LETTERS)] {
        for event in given_up_from(disk, model, given_up, id, |it| it.from == output && it.to == to)? {
            counts[event] += 1;
        }
    }
    Ok(())
}

/// The events in the journal of what was given up, from a cursor on.
fn given_up_from(
    disk: &Simulated,
    model: &Model,
    given_up: &GivenUp,
    cursor: &str,
    is_wanted: impl Fn(&HandedOver) -> bool,
) -> Result<Vec<usize>, String> {
    let cursors = CursorFolder::on(Arc::new(disk.clone()), &given_up_dir());
    let Some(cursor) = cursors.load(cursor).map_err(|error| error.to_string())? else {
        return Ok(Vec::new());
    };
    let mut reader = given_up.journal().reader(cursor.position);
    let mut found = Vec::new();
    while let Some(chunk) = reader.try_next().map_err(|error| error.to_string())? {
        if chunk.handed_over().is_some_and(|handed_over| is_wanted(&handed_over)) {
            let events = model.find_records(chunk.entries());
            found.extend(events.ok_or("what was given up has events that nobody sent like this")?);
        }
    }
    Ok(found)
}

/// Large messages that are not in the journal must be gone once a server has started, and each file that is there must
/// have its frame.
fn check_large_files(disk: &Simulated) -> Result<(), String> {
    if let Some(path) = disk.files_below(&data_dir().join("spool")).first() {
        return Err(format!("{} was left behind", path.display()));
    }
    if let Some(path) = disk.files_below(&data_dir().join("journal/damaged")).first() {
        return Err(format!("{} was set aside as damaged", path.display()));
    }
    let text = |error: InspectError| error.to_string();
    let inspection = Inspection::on(Arc::new(disk.clone()), data_dir());
    let mut known = 0;
    for segment in inspection.segments().map_err(text)? {
        let files = inspection.summary(segment).map_err(text)?.large_files.len() as u64;
        known += files;
        let frames = if files > 0 { inspection.verify(segment).map_err(text)?.large_chunks } else { 0 };
        if files != frames {
            return Err(format!(
                "segment {segment} has {files} files of large chunks, and {frames} frames of such"
            ));
        }
    }
    let files = disk.files_below(&data_dir().join("journal"));
    let files = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "large"));
    match files.count() as u64 {
        count if count == known => Ok(()),
        count => Err(format!("{count} files of large chunks are there, and {known} belong to a segment")),
    }
}

/// Counts what was set aside for an output.
fn add_set_aside(disk: &Simulated, model: &Model, output: usize, counts: &mut [usize]) -> Result<(), String> {
    let set_aside = SetAside::on(Arc::new(disk.clone()), data_dir());
    let segments = set_aside.segments(OUTPUTS[output]).map_err(|error| error.to_string())?;
    for SetAsideSegment { segment, from, .. } in &segments {
        let mut unknown = None;
        let visit = |position, chunk: ChunkPayload| {
            let is_split = start_of_chunk(position) == start_of_chunk(from.position);
            if position >= from.position || is_split {
                // The model counts each entry as an event.
                let skipped = if is_split { from.position.entry.saturating_sub(position.entry) } else { 0 };
                match model.find(chunk.entries()) {
                    Some(events) => {
                        for event in
                            events.skip(skipped as usize).filter(|event| model.is_for(output, *event))
                        {
                            counts[event] += 1;
                        }
                    }
                    None => unknown = Some(position),
                }
            }
            true
        };
        let inspection = set_aside.inspection(OUTPUTS[output]);
        inspection.chunks(*segment, visit).map_err(|error| error.to_string())?;
        if let Some(position) = unknown {
            return Err(format!("a segment that was set aside has a chunk at {position} that nobody sent"));
        }
    }
    Ok(())
}

fn start_of_chunk(position: Position) -> Position {
    Position { entry: 0, ..position }
}

/// Counts what an output will deliver from its cursor on, without what it knows that it gave up.
fn add_pending(
    disk: &Simulated,
    model: &Model,
    life: &Life,
    output: usize,
    position: Position,
    counts: &mut [usize],
) -> Result<(), String> {
    let id = OUTPUTS[output];
    let known = match &life.given_up {
        Some(life) => given_up_from(disk, model, &life.given_up, &format!("@from-{id}"), |it| it.from == id)?,
        None => Vec::new(),
    };
    let known: BTreeSet<usize> = known.into_iter().collect();
    let mut reader = life.journal.reader(position);
    while let Some(chunk) = reader.try_next().map_err(|error| error.to_string())? {
        let events = model
            .find(chunk.entries())
            .ok_or_else(|| format!("the journal has a chunk at {} that nobody sent", chunk.position))?;
        for event in events.filter(|event| model.is_for(output, *event) && !known.contains(event)) {
            counts[event] += 1;
        }
    }
    Ok(())
}
