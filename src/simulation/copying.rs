//! Copies of the data folder of a running server, as `cp -r` makes them, and a server that begins with one.
//!
//! The copy takes its time: files are listed first and copied one after the other, in any order, segments in pieces, while
//! the server goes on, or is killed and started again. The archive is copied after it. What was acknowledged before the copy
//! began must be in the one, or be delivered by a server that has the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::archive::events;
use super::life::Life;
use super::model::Model;
use super::settings::{
    DEAD_LETTERS_NUMBER, OUTPUTS, Settings, archive_folder, data_dir, folder_of_output, moved_folder,
};
use crate::journal::writer::Moment;
use crate::storage::simulated::{Random, Simulated};
use crate::storage::{Open, Storage, write_all_at};

/// A copy that is being made.
#[derive(Debug)]
pub(super) struct Copying {
    /// Chunks that were acknowledged when it began.
    promised: Vec<usize>,
    /// What is still to be copied, or was never there to be.
    rest: Vec<PathBuf>,
    /// The file that is being copied, as far as it is.
    open: Option<(PathBuf, Vec<u8>)>,
    copied: Vec<(PathBuf, Vec<u8>)>,
}

impl Copying {
    /// Lists what is to be copied.
    pub(super) fn begin(disk: &Simulated, model: &Model, random: &mut Random) -> Self {
        let mut rest = disk.files_below(data_dir());
        for end in (1..rest.len()).rev() {
            rest.swap(end, random.below(end as u64 + 1) as usize);
        }
        let chunks = model.chunks.iter().enumerate();
        let promised = chunks.filter(|(_, chunk)| chunk.promised).map(|(number, _)| number).collect();
        Self { promised, rest, open: None, copied: Vec::new() }
    }

    /// Copies on for a while; whether that was all.
    pub(super) fn go_on(&mut self, disk: &Simulated, random: &mut Random) -> bool {
        for _ in 0..1 + random.below(4) {
            let next = self.open.take().or_else(|| Some((self.rest.pop()?, Vec::new())));
            let Some((path, mut bytes)) = next else { return true };
            // What is gone by now is left out.
            let Some(content) = disk.content(&path) else { continue };
            let left = content.len().saturating_sub(bytes.len());
            let is_in_pieces = path.extension().is_some_and(|extension| extension == "seg");
            let piece = if is_in_pieces { random.below(left as u64 + 1) as usize } else { left };
            bytes.extend_from_slice(&content[content.len() - left..][..piece]);
            match piece < left {
                true => self.open = Some((path, bytes)),
                false => self.copied.push((path, bytes)),
            }
        }
        false
    }

    /// Starts a server with the copy and an archive of its own, lets it deliver, and looks whether something is missing in
    /// both archives, its own and the one that is there now.
    pub(super) fn check(
        self,
        disk: &Simulated,
        model: &Model,
        settings: &Settings,
        now: Moment,
    ) -> Result<(), String> {
        let own = Simulated::new(0);
        [archive_folder(), moved_folder()].into_iter().for_each(|folder| own.add_folder(folder));
        let storage: Arc<dyn Storage> = Arc::new(own.clone());
        for (path, bytes) in &self.copied {
            put(&own, path, bytes).map_err(|error| error.to_string())?;
        }
        own.write_back();
        let mut life = Life::start(&storage, settings, &settings.outputs, now)
            .map_err(|error| format!("a server does not start with a copy: {error}"))?;
        life.close(now);
        if !life.finish(now) {
            return Err("a server that was started with a copy does not stop in order".to_owned());
        }
        for (number, id) in OUTPUTS.into_iter().enumerate().take(DEAD_LETTERS_NUMBER) {
            let mut is_there = vec![false; model.events.len()];
            for disk in [disk, &own] {
                // One that is being written may end anywhere.
                for path in [&folder_of_output(number), moved_folder()]
                    .into_iter()
                    .flat_map(|folder| disk.files_below(folder))
                {
                    let bytes = disk.content(&path).unwrap_or_default();
                    if !path.starts_with(moved_folder()) || is_of(&path, id) {
                        for event in events(&path, &bytes, true)? {
                            *is_there.get_mut(event).ok_or("an archive has an event that nobody sent")? =
                                true;
                        }
                    }
                }
            }
            for chunk in &self.promised {
                let events = model.chunks[*chunk].events.clone();
                let lost = events.into_iter().find(|event| {
                    let is_taken = model.events[*event].disturbed[number].taken;
                    model.is_for(number, *event) && !is_taken && !is_there[*event]
                });
                if let Some(event) = lost {
                    return Err(format!(
                        "event {event} was acknowledged before a copy began, and output {id} has it neither in the \
                         archive nor from the copy"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether a file that was moved away is of an output.
fn is_of(path: &Path, id: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with(&format!("{id}-"))
}

fn put(disk: &Simulated, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut folders: Vec<&Path> =
        path.ancestors().skip(1).filter(|folder| folder.parent().is_some()).collect();
    folders.reverse();
    folders.into_iter().for_each(|folder| disk.add_folder(folder));
    write_all_at(disk.open(path, Open::Emptied)?.as_ref(), bytes, 0)
}
