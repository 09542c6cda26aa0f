//! Other people's hands in the archive.

use std::path::{Path, PathBuf};

use super::archive::events;
use super::model::{Disturbance, Model};
use super::settings::{OUTPUTS, PACKED, PLAIN, archive_folder, folders_of_output, moved_folder};
use crate::storage::simulated::{Broken, BrokenHow, Random, Simulated};

/// Moves, cuts or removes one file of the archive, and says what it did.
pub(super) fn meddle(disk: &Simulated, model: &mut Model, random: &mut Random) -> Option<String> {
    let files = disk.files_below(archive_folder());
    let path = random.pick(&files).cloned()?;
    let (output, id) = output_of(&path)?;
    let bytes = disk.content(&path)?;
    // Those that a failed write left half a line in are read as far as they go.
    let held = events(&path, &bytes, true).ok()?;
    let done = match random.below(3) {
        0 => {
            model.disturb(output, &held, Disturbance { moved: true, taken: false });
            model.taken_may_return(output);
            disk.move_away(&path, &moved_path(&path, id, random));
            "moves".to_owned()
        }
        1 => {
            model.disturb(output, &held, Disturbance { moved: false, taken: true });
            disk.remove_file(&path);
            "removes".to_owned()
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
            format!("cuts to {length} bytes")
        }
    };
    let synced = random.one_in(2);
    if synced {
        disk.write_back();
    }
    let synced = if synced { " and the kernel writes everything back" } else { "" };
    Some(format!("somebody {done}: {} with the events {held:?}{synced}", path.display()))
}

/// Breaks one file or one folder of the archive, or none any more.
pub(super) fn break_files(disk: &Simulated, random: &mut Random) -> Option<Broken> {
    let mut files = disk.files_below(archive_folder());
    if !random.one_in(4) {
        // Of outputs that give up, if they do.
        files.retain(|path| [PLAIN, PACKED].iter().any(|id| path.starts_with(archive_folder().join(id))));
    }
    let path = random.pick(&files).filter(|_| !random.one_in(4))?;
    let below = if random.one_in(2) { path.parent()?.to_owned() } else { path.clone() };
    let how = if random.one_in(3) { BrokenHow::Locked } else { BrokenHow::TooLarge };
    Some(Broken { below, how })
}

/// The output that writes a file, by its place among all.
fn output_of(path: &Path) -> Option<(usize, &'static str)> {
    let holds = |output: &usize| folders_of_output(*output).iter().any(|folder| path.starts_with(folder));
    let index = (0..OUTPUTS.len()).find(holds)?;
    Some((index, OUTPUTS[index]))
}

fn moved_path(path: &Path, id: &str, random: &mut Random) -> PathBuf {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    moved_folder().join(format!("{id}-{}.{extension}", random.number()))
}
