//! Other people's hands in the archive.

use std::path::{Path, PathBuf};

use super::archive::events;
use super::model::{Disturbance, Model};
use super::settings::{all_outputs, archive_folder, moved_folder};
use crate::storage::simulated::{Random, Simulated};

/// Moves, cuts or removes one file of the archive.
pub(super) fn meddle(disk: &Simulated, model: &mut Model, random: &mut Random) {
    let files = disk.files_below(archive_folder());
    let Some(path) = random.pick(&files).cloned() else { return };
    let Some((output, id)) = output_of(&path) else { return };
    let Some(bytes) = disk.content(&path) else { return };
    // Those that a failed write left half a line in are read as far as they go.
    let Ok(held) = events(&path, &bytes, true) else { return };
    match random.below(3) {
        0 => {
            model.disturb(output, &held, Disturbance { moved: true, taken: false });
            disk.move_away(&path, &moved_path(&path, id, random));
        }
        1 => {
            model.disturb(output, &held, Disturbance { moved: false, taken: true });
            disk.remove_file(&path);
        }
        _ => {
            // Between two lines, or all of it: half a line, or half a gzip member, nobody could read.
            let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
            let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n' && !is_gzip);
            let mut ends: Vec<usize> = ends.map(|(at, _)| at + 1).collect();
            ends.push(0);
            let length = random.pick(&ends).copied().unwrap_or(0);
            model.disturb(output, &held, Disturbance { moved: false, taken: true });
            disk.cut(&path, length as u64);
        }
    }
    if random.one_in(2) {
        disk.write_back();
    }
}

/// The output that writes a file, by its place among all.
pub(super) fn output_of(path: &Path) -> Option<(usize, &'static str)> {
    let index = all_outputs().position(|(_, folder)| path.starts_with(folder))?;
    all_outputs().nth(index).map(|(id, _)| (index, id))
}

fn moved_path(path: &Path, id: &str, random: &mut Random) -> PathBuf {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    moved_folder().join(format!("{id}-{}.{extension}", random.number()))
}
