//! The segments of a journal, their large files, and what removed ones left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{BackupError, files, unless_gone};
use crate::journal::inspect::Inspection;

/// Takes what the journal of a data folder has by now, in addition to what the copy has already.
pub(super) fn copy(data_dir: &Path, copy: &Path) -> Result<(), BackupError> {
    let (from, to) = (data_dir.join("journal"), copy.join("journal"));
    fs::create_dir_all(&to).map_err(|source| BackupError::io("make", &to, source))?;
    let inspection = Inspection::new(data_dir);
    for segment in inspection.segments()? {
        let summary = match inspection.summary(segment) {
            Ok(summary) => summary,
            Err(error) => {
                error.unless_gone()?;
                continue;
            }
        };
        let target = to.join(summary.path.file_name().unwrap_or_default());
        let taken = if summary.sealed {
            link_or_copy(&summary.path, &target)
        } else {
            // What lies behind the last whole frame may be half there.
            files::copy_start(&summary.path, &target, summary.end())
        };
        unless_gone(taken).map_err(|source| BackupError::io("copy", &summary.path, source))?;
    }
    // After the segments: the files of all frames that were copied are there by now.
    for entry in list(&from)? {
        let extension = entry.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let target = to.join(entry.file_name().unwrap_or_default());
        let taken = match extension {
            "large" => link_or_copy(&entry, &target),
            "ids" => fs::copy(&entry, &target).map(drop),
            _ => Ok(()),
        };
        unless_gone(taken).map_err(|source| BackupError::io("copy", &entry, source))?;
    }
    Ok(())
}

/// Removes what lies before a gap: the server let go of what is missing while the copy was made, so all outputs had it.
/// How many segments are left; `None` where the last one is not whole.
pub(super) fn tidy(copy: &Path) -> Result<Option<u64>, BackupError> {
    let inspection = Inspection::new(copy);
    let segments = inspection.segments()?;
    let Some(last) = segments.last().copied() else { return Ok(Some(0)) };
    let mut first = last;
    for segment in segments.iter().rev().skip(1) {
        if segment + 1 != first {
            break;
        }
        first = *segment;
    }
    if !inspection.verify(last)?.is_intact() {
        return Ok(None);
    }
    let outdated: BTreeSet<u64> = segments.into_iter().filter(|segment| *segment < first).collect();
    for path in list(&copy.join("journal"))? {
        let segment = number_of(&path);
        let is_file_of_segment = path.extension().is_some_and(|extension| extension != "ids");
        if is_file_of_segment && segment.is_some_and(|segment| outdated.contains(&segment)) {
            fs::remove_file(&path).map_err(|source| BackupError::io("remove", &path, source))?;
        }
    }
    Ok(Some(last - first + 1))
}

/// The segment that a file belongs to by its name.
fn number_of(path: &Path) -> Option<u64> {
    let stem = path.file_stem()?.to_str()?;
    stem.split('-').next()?.parse().ok()
}

fn list(folder: &Path) -> Result<Vec<std::path::PathBuf>, BackupError> {
    let entries = fs::read_dir(folder).map_err(|source| BackupError::io("list", folder, source))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(|source| BackupError::io("list", folder, source))
}

/// For a file that is never written again.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    if let Ok(copied) = fs::metadata(to)
        && copied.len() == fs::metadata(from)?.len()
    {
        return Ok(());
    }
    // It may have been copied while it was still written.
    unless_gone(fs::remove_file(to))?;
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => fs::copy(from, to).map(drop),
        Ok(()) => Ok(()),
    }
}
