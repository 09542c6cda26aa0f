//! Comparing what is there with what was promised.

use std::sync::Arc;

use super::archive::events;
use super::life::Life;
use super::model::Model;
use super::settings::{OUTPUTS, data_dir, folder_of_output, moved_folder};
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::{CursorFolder, Position, SetAside, SetAsideSegment};
use crate::storage::Storage;
use crate::storage::simulated::Simulated;

/// Checks everything, after a start and in the end. Gives how many events each output has still to deliver, in the
/// order of [`OUTPUTS`].
pub(super) fn check(disk: &Simulated, model: &Model, life: &Life, at_rest: bool) -> Result<[u64; 4], String> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let cursors = CursorFolder::on(storage, data_dir());
    let mut pending = [0; 4];
    for (number, id) in OUTPUTS.into_iter().enumerate() {
        let folder = folder_of_output(number);
        let segments = data_dir().join("dead-letters/segments");
        let Some(cursor) = cursors.load(id).map_err(|error| error.to_string())? else { continue };
        let mut counts = vec![0; model.events.len()];
        if life.unrecovered.contains(id) {
            // Its files are as the last process left them, until it has gone back to its checkpoint.
            add_pending(model, life, number, cursor.position, &mut counts)?;
            pending[number] = counts.iter().sum::<usize>() as u64;
            continue;
        }
        let moved = disk.files_below(moved_folder());
        let moved = moved.iter().filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&format!("{id}-"))
        });
        for (path, lenient) in
            disk.files_below(&folder).iter().map(|path| (path, false)).chain(moved.map(|path| (path, true)))
        {
            if path.starts_with(&segments) {
                continue;
            }
            let bytes = disk.content(path).unwrap_or_default();
            for event in events(path, &bytes, lenient)? {
                *counts
                    .get_mut(event)
                    .ok_or_else(|| format!("{} has an event that nobody sent", path.display()))? += 1;
            }
        }
        add_set_aside(disk, model, number, &mut counts)?;
        let archived: usize = counts.iter().sum();
        add_pending(model, life, number, cursor.position, &mut counts)?;
        pending[number] = (counts.iter().sum::<usize>() - archived) as u64;
        model.check(number, &counts, at_rest, life.drops)?;
    }
    let damaged = life.metrics.journal.damaged_bytes.get();
    if damaged > 0 {
        return Err(format!("{damaged} bytes of the journal were synced and no longer read back"));
    }
    Ok(pending)
}

/// Counts what was set aside for an output.
fn add_set_aside(disk: &Simulated, model: &Model, output: usize, counts: &mut [usize]) -> Result<(), String> {
    let set_aside = SetAside::on(Arc::new(disk.clone()), data_dir());
    let segments = set_aside.segments(OUTPUTS[output]).map_err(|error| error.to_string())?;
    for SetAsideSegment { segment, from, .. } in &segments {
        let mut unknown = None;
        let visit = |position, chunk: ChunkPayload| {
            if position >= from.position {
                match model.find(chunk.entries()) {
                    Some(sent) => {
                        for event in sent.events.clone().filter(|event| model.is_for(output, *event)) {
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

/// Counts what an output will read from its cursor on.
fn add_pending(
    model: &Model,
    life: &Life,
    output: usize,
    position: Position,
    counts: &mut [usize],
) -> Result<(), String> {
    let mut reader = life.journal.reader(position);
    while let Some(chunk) = reader.try_next().map_err(|error| error.to_string())? {
        let sent = model
            .find(chunk.entries())
            .ok_or_else(|| format!("the journal has a chunk at {} that nobody sent", chunk.position))?;
        for event in sent.events.clone().filter(|event| model.is_for(output, *event)) {
            counts[event] += 1;
        }
    }
    Ok(())
}
