//! Comparing what is there with what was promised.

use std::sync::Arc;

use super::archive::events;
use super::life::Life;
use super::model::Model;
use super::settings::{OUTPUTS, data_dir, folder_of_output, moved_folder};
use crate::journal::{CursorFolder, Position};
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
        let Some(cursor) = cursors.load(id).map_err(|error| error.to_string())? else { continue };
        let mut counts = vec![0; model.events.len()];
        let moved = disk.files_below(moved_folder());
        let moved = moved.iter().filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&format!("{id}-"))
        });
        for (path, lenient) in
            disk.files_below(&folder).iter().map(|path| (path, false)).chain(moved.map(|path| (path, true)))
        {
            let bytes = disk.content(path).unwrap_or_default();
            for event in events(path, &bytes, lenient)? {
                *counts
                    .get_mut(event)
                    .ok_or_else(|| format!("{} has an event that nobody sent", path.display()))? += 1;
            }
        }
        let archived: usize = counts.iter().sum();
        add_pending(model, life, number, cursor.position, &mut counts)?;
        pending[number] = (counts.iter().sum::<usize>() - archived) as u64;
        model.check(number, &counts, at_rest)?;
    }
    let damaged = life.metrics.journal.damaged_bytes.get();
    if damaged > 0 {
        return Err(format!("{damaged} bytes of the journal were synced and no longer read back"));
    }
    Ok(pending)
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
