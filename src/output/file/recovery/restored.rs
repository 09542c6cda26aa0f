//! What becomes of undo logs in a data folder that was restored from a copy.

use std::io;
use std::path::Path;

use super::super::undo::generation_of;
use crate::journal::durable::{create_folder, sync_folder_of};
use crate::storage::Storage;

/// Puts the undo logs of all outputs away, into `undone/`, so that no archive file is cut by what they say of another
/// time. What was delivered after their checkpoints is delivered again: twice rather than nowhere.
pub(crate) fn set_undo_logs_aside(storage: &dyn Storage, data_dir: &Path) -> io::Result<()> {
    let mut outputs = storage.list(&data_dir.join("outputs"))?;
    outputs.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    for output in outputs.into_iter().filter(|output| output.is_folder) {
        let Some(id) = output.path.file_name() else { continue };
        let aside = data_dir.join("undone").join(id);
        for log in storage.list(&output.path)? {
            let Some(generation) = generation_of(&log.path) else { continue };
            create_folder(storage, &aside)?;
            let to = aside.join(format!("restored-undo-{generation}"));
            storage.rename(&log.path, &to)?;
            sync_folder_of(storage, &to)?;
            sync_folder_of(storage, &log.path)?;
            tracing::warn!(
                output = %id.display(), kept_in = %to.display(),
                "the data folder was restored from a copy: its archive files are left as they are, and what they may have \
                 beyond the copy is delivered once more"
            );
        }
    }
    Ok(())
}
