//! All outputs of a data folder are brought back to their checkpoints, before anything else is done with their files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::delivery::FileOutput;
use super::outputs::DEFAULT_UNDONE_MAX_SIZE;
use super::recovery::{
    Outcome, RecoveryError, RecoveryOptions, files_to_recover, recover, set_undo_logs_aside,
};
use crate::config::{FileOutputConfig, OutputConfig, OutputKind};
use crate::journal::{CursorError, CursorFolder, Home};
use crate::metrics::Metrics;
use crate::output::Output;
use crate::storage::{Listed, Storage};

/// Archive files can't be brought back to their last checkpoint. The operator must act; nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("cannot list the outputs in {}: {source}", path.display())]
    List { path: PathBuf, source: io::Error },
    #[error("cannot find out whether the data folder {} was restored from a copy: {source}", path.display())]
    Home { path: PathBuf, source: io::Error },
    #[error("output {id}: {source}")]
    Output { id: String, source: RecoveryError },
    #[error(
        "output {id}: {source}. And until then the output {other} may not run, for it could write to {} as well: mend \
         that, and start again",
        path.display()
    )]
    Shared { id: String, other: String, path: PathBuf, source: Box<RecoveryError> },
    #[error(
        "output {id}, which the configuration no longer has: {source}. Without that output nobody tries again: mend that, \
         and start again"
    )]
    Gone { id: String, source: RecoveryError },
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// Outputs whose files could not be recovered yet. They try again when they run, and before they write anything.
#[derive(Debug, Default)]
pub struct Unrecovered {
    outputs: BTreeMap<String, RecoveryError>,
}

impl Unrecovered {
    /// Lets an output begin with recovering its files, if it is one of them.
    #[must_use]
    pub fn hand_over_to(&mut self, output: FileOutput) -> FileOutput {
        match self.outputs.remove(output.id()) {
            Some(error) => output.recovering_first(&error),
            None => output,
        }
    }

    /// Ids of those that were not handed over.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.outputs.keys().map(String::as_str)
    }

    /// After all outputs that run were opened.
    ///
    /// # Errors
    ///
    /// Where one of them does not run.
    pub fn all_handed_over(self) -> Result<(), RecoverError> {
        match self.outputs.into_iter().next() {
            Some((id, source)) => Err(RecoverError::Gone { id, source }),
            None => Ok(()),
        }
    }
}

/// Brings all archive files back to their last checkpoint, also those of outputs that the configuration no longer has.
/// Must come before anything reads or writes them, and under the journal's lock.
///
/// Gives those that can't be brought back now, on a full disk for instance, and whose files no other output could write
/// to.
pub fn recover_all(
    storage: &Arc<dyn Storage>,
    data_dir: &Path,
    outputs: &[OutputConfig],
    metrics: &Metrics,
) -> Result<Unrecovered, RecoverError> {
    settle(storage.as_ref(), data_dir)
        .map_err(|source| RecoverError::Home { path: data_dir.to_owned(), source })?;
    let folder = data_dir.join("outputs");
    let mut listed =
        storage.list(&folder).map_err(|source| RecoverError::List { path: folder.clone(), source })?;
    let mut unrecovered = Unrecovered::default();
    if listed.is_empty() {
        return Ok(unrecovered);
    }
    listed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let cursors = CursorFolder::on(Arc::clone(storage), data_dir);
    cursors.sync()?;
    for Listed { path, is_folder, .. } in listed {
        let Some(id) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_folder) else {
            continue;
        };
        let file = outputs.iter().find_map(|output| file_config(output).filter(|_| output.id == id));
        let options = RecoveryOptions {
            generation: cursors.load(id)?.map_or(0, |cursor| cursor.generation),
            undone_folder: data_dir.join("undone").join(id),
            undone_max_size: file.map_or(DEFAULT_UNDONE_MAX_SIZE, |file| file.undone_max_size),
            undo_folder: path.clone(),
        };
        let report = match recover(storage.as_ref(), &options) {
            Ok(report) => report,
            Err(source) => {
                let source = check_that_it_can_wait(storage.as_ref(), &options, id, source, outputs)?;
                unrecovered.outputs.insert(id.to_owned(), source);
                continue;
            }
        };
        report.count(&metrics.output(id, "file"));
        let undone =
            report.files.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Undone { .. })).count();
        if undone > 0 {
            tracing::info!(
                output = id, files = undone, kept_in = %options.undone_folder.display(),
                "archive files were cut back to their last checkpoint after a crash; their lines are written again"
            );
        }
    }
    Ok(unrecovered)
}

/// Gives back why an output can't be recovered, where the others may run before it is.
fn check_that_it_can_wait(
    storage: &dyn Storage,
    options: &RecoveryOptions,
    id: &str,
    source: RecoveryError,
    outputs: &[OutputConfig],
) -> Result<RecoveryError, RecoverError> {
    if matches!(source, RecoveryError::UndoLog { .. }) {
        return Err(RecoverError::Output { id: id.to_owned(), source });
    }
    let Ok(files) = files_to_recover(storage, options) else {
        return Err(RecoverError::Output { id: id.to_owned(), source });
    };
    // After a change of the configuration others may write where this one did.
    for output in outputs.iter().filter(|output| output.id != id) {
        let Some(file) = file_config(output) else { continue };
        if let Some(path) = files.iter().find(|path| file.path.may_give(path)) {
            let (id, other, path) = (id.to_owned(), output.id.clone(), path.clone());
            return Err(RecoverError::Shared { id, other, path, source: Box::new(source) });
        }
    }
    Ok(source)
}

fn file_config(output: &OutputConfig) -> Option<&FileOutputConfig> {
    match &output.kind {
        OutputKind::File(file) => Some(file),
        OutputKind::Forward(_) => None,
    }
}

/// Makes a data folder that was restored from a copy this server's own.
fn settle(storage: &dyn Storage, data_dir: &Path) -> io::Result<()> {
    let home = Home::of(storage, data_dir)?;
    if home == Home::Restored {
        set_undo_logs_aside(storage, data_dir)?;
    }
    if home != Home::Own {
        Home::settle(storage, data_dir)?;
    }
    Ok(())
}
