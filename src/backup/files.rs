//! Files that grow, copied as far as they are; and the small ones of a data folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::journal::link_or_copy;
use super::undo::Cut;
use super::{BackupError, Cursors, unless_gone};
use crate::storage::{Identity, disk};

/// Of a data folder, what is no part of its state, or is copied in a way of its own.
const LEFT_OUT: [&str; 9] =
    ["journal", "cursors", "outputs", "undone", "spool", "given-up", "lock", "dead-letters", "requests"];

/// Bytes at both ends of what was copied that are compared before more is added to it.
const COMPARED: u64 = 64 * 1024;

/// The archive files that were copied so far.
#[derive(Debug, Default)]
pub(super) struct Copies {
    files: BTreeMap<PathBuf, Copied>,
}

/// A file, and how much of it was copied.
#[derive(Debug)]
struct Copied {
    target: PathBuf,
    identity: Identity,
    length: u64,
}

impl Copies {
    /// Copies what is new below a folder. What is gone from there goes from the copy.
    pub(super) fn copy(
        &mut self,
        folder: &Path,
        target: &Path,
        copied: &mut impl FnMut(u64),
    ) -> Result<(), BackupError> {
        let mut found = BTreeSet::new();
        let mut folders = vec![(folder.to_owned(), target.to_owned())];
        while let Some((folder, target)) = folders.pop() {
            for path in list(&folder)? {
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                let target = target.join(path.file_name().unwrap_or_default());
                if metadata.is_dir() {
                    folders.push((path, target));
                } else if metadata.is_file() {
                    self.copy_file(&path, target, copied)?;
                    found.insert(path);
                }
            }
        }
        self.forget(folder, &found)
    }

    /// The same for the files of dead letters right in a folder.
    pub(super) fn copy_letters(
        &mut self,
        folder: &Path,
        target: &Path,
        copied: &mut impl FnMut(u64),
    ) -> Result<(), BackupError> {
        let mut found = BTreeSet::new();
        for path in list(folder)? {
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                self.copy_file(&path, target.join(path.file_name().unwrap_or_default()), copied)?;
                found.insert(path);
            }
        }
        self.forget(folder, &found)
    }

    /// Takes away what a file got after the checkpoint; whether there was something.
    pub(super) fn cut(&mut self, cut: &Cut) -> Result<bool, BackupError> {
        let found = self.files.values_mut().find(|file| file.identity.is_same_file(&cut.identity));
        let Some(file) = found.filter(|file| file.length > cut.length) else { return Ok(false) };
        let done = match cut.length {
            // It was made after the checkpoint, or nothing was in it.
            0 => unless_gone(fs::remove_file(&file.target)).map(drop),
            length => OpenOptions::new().write(true).open(&file.target).and_then(|open| open.set_len(length)),
        };
        done.map_err(|source| BackupError::io("cut", &file.target, source))?;
        file.length = cut.length;
        Ok(true)
    }

    /// How many files there are, and their bytes.
    pub(super) fn totals(&self) -> (u64, u64) {
        let kept = self.files.values().filter(|file| file.length > 0);
        kept.fold((0, 0), |(files, bytes), file| (files + 1, bytes + file.length))
    }

    fn copy_file(
        &mut self,
        path: &Path,
        target: PathBuf,
        copied: &mut impl FnMut(u64),
    ) -> Result<(), BackupError> {
        let error = |source| BackupError::io("copy", path, source);
        let Some(stat) = disk().stat(path).map_err(error)? else { return Ok(()) };
        let known = self.files.get(path);
        let mut start = known
            .filter(|known| known.identity.is_same_file(&stat.identity) && known.length <= stat.length)
            .map_or(0, |known| known.length);
        // Where somebody cut it meanwhile, what it has got since is none of what follows the copy.
        let mut has_changed = known.is_some_and(|known| known.length > start);
        if start > 0 && !unless_gone(begins_alike(path, &target, start)).map_err(error)?.unwrap_or(false) {
            (start, has_changed) = (0, true);
        }
        if known.is_none() || has_changed || start < stat.length {
            let end = copy_range(path, &target, start, stat.length).map_err(error)?;
            copied(end - start);
            let file = Copied { target, identity: stat.identity, length: end };
            self.files.insert(path.to_owned(), file);
        }
        Ok(())
    }

    fn forget(&mut self, folder: &Path, found: &BTreeSet<PathBuf>) -> Result<(), BackupError> {
        let gone: Vec<_> = self
            .files
            .keys()
            .filter(|path| path.starts_with(folder) && !found.contains(*path))
            .cloned()
            .collect();
        for path in gone {
            if let Some(Copied { target, .. }) = self.files.remove(&path) {
                unless_gone(fs::remove_file(&target))
                    .map_err(|source| BackupError::io("remove", &target, source))?;
            }
        }
        Ok(())
    }
}

/// Writes cursors as they were read, with the requests that lie beside them.
pub(super) fn copy_cursors(folder: &Path, copy: &Path, cursors: &Cursors) -> Result<(), BackupError> {
    let (from, to) = (folder.join("cursors"), copy.join("cursors"));
    // None of an earlier pass.
    unless_gone(fs::remove_dir_all(&to)).map_err(|source| BackupError::io("empty", &to, source))?;
    for path in list(&from)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let id = name.split('.').next().unwrap_or_default();
        if cursors.contains_key(id) && (name.ends_with(".cursor") || name.ends_with(".request")) {
            copy_whole(&path, &to.join(name))?;
        }
    }
    Ok(())
}

/// Copies the small files of a data folder: which outputs took what, where messages went, what was settled.
pub(super) fn copy_folder(folder: &Path, copy: &Path) -> Result<(), BackupError> {
    copy_small(folder, copy, &LEFT_OUT)?;
    let (letters, copy) = (folder.join("dead-letters"), copy.join("dead-letters"));
    copy_small(&letters, &copy, &["lock", "segments"])?;
    copy_set_aside(&letters.join("segments"), &copy.join("segments"))
}

/// Copies what outputs left behind, and takes away what is gone from there. Segments and files of large chunks never
/// change, and get a second name.
fn copy_set_aside(folder: &Path, copy: &Path) -> Result<(), BackupError> {
    let mut kept = BTreeSet::new();
    for path in list(folder)? {
        let name = path.file_name().unwrap_or_default();
        kept.insert(name.to_owned());
        if path.is_dir() {
            copy_set_aside(&path, &copy.join(name))?;
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tmp") => {}
            Some("seg" | "large") => {
                fs::create_dir_all(copy).map_err(|source| BackupError::io("make", copy, source))?;
                unless_gone(link_or_copy(&path, &copy.join(name)))
                    .map_err(|source| BackupError::io("copy", &path, source))?;
            }
            _ => copy_whole(&path, &copy.join(name))?,
        }
    }
    for path in list(copy)? {
        if kept.contains(path.file_name().unwrap_or_default()) {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        unless_gone(removed).map_err(|source| BackupError::io("remove", &path, source))?;
    }
    Ok(())
}

/// But for files of letters, which grow.
fn copy_small(folder: &Path, copy: &Path, left_out: &[&str]) -> Result<(), BackupError> {
    for path in list(folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_on_its_way = [".tmp", ".jsonl"].iter().any(|end| name.ends_with(end));
        if left_out.contains(&name) || is_on_its_way {
            continue;
        }
        match path.is_dir() {
            true => copy_small(&path, &copy.join(name), &[])?,
            false => copy_whole(&path, &copy.join(name))?,
        }
    }
    Ok(())
}

/// The first bytes of a file, under a name that no other file has.
pub(super) fn copy_start(from: &Path, to: &Path, length: u64) -> io::Result<()> {
    unless_gone(fs::remove_file(to))?;
    copy_range(from, to, 0, length).map(drop)
}

/// A file of which one that is gone is no loss.
fn copy_whole(from: &Path, to: &Path) -> Result<(), BackupError> {
    let length = unless_gone(fs::metadata(from)).map_err(|source| BackupError::io("read", from, source))?;
    let Some(length) = length.map(|metadata| metadata.len()) else { return Ok(()) };
    unless_gone(copy_start(from, to, length))
        .map(drop)
        .map_err(|source| BackupError::io("copy", from, source))
}

/// Copies a part of a file into the same place of another, with owner, mode and time; gives where it ended.
fn copy_range(from: &Path, to: &Path, start: u64, end: u64) -> io::Result<u64> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    // Nobody but whoever makes the backup reads it before it is whole.
    let mut target = OpenOptions::new().write(true).create(true).truncate(start == 0).mode(0o600).open(to)?;
    source.seek(SeekFrom::Start(start))?;
    target.seek(SeekFrom::Start(start))?;
    let count = io::copy(&mut source.take(end - start), &mut target)?;
    keep_metadata(&target, &metadata)?;
    Ok(start + count)
}

/// Whether a file still begins with what was copied of it. It looks at both ends of that: whatever is written behind a cut
/// comes to lie elsewhere than it did.
fn begins_alike(from: &Path, copy: &Path, length: u64) -> io::Result<bool> {
    let (from, copy) = (File::open(from)?, File::open(copy)?);
    let window = length.min(COMPARED);
    for start in [0, length - window] {
        let (mut one, mut other) = (vec![0; window as usize], vec![0; window as usize]);
        match from.read_exact_at(&mut one, start).and_then(|()| copy.read_exact_at(&mut other, start)) {
            // It is shorter by now.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            read => read?,
        }
        if one != other {
            return Ok(false);
        }
    }
    Ok(true)
}

fn keep_metadata(target: &File, metadata: &Metadata) -> io::Result<()> {
    match fchown(target, Some(metadata.uid()), Some(metadata.gid())) {
        // Only root may give a file away.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    target.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    target.set_modified(metadata.modified()?)
}

/// What lies in a folder; nothing where it is not there.
fn list(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let error = |source| BackupError::io("list", folder, source);
    let Some(entries) = unless_gone(fs::read_dir(folder)).map_err(error)? else { return Ok(Vec::new()) };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<io::Result<_>>().map_err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is copied, changed, and copied again.
    fn copied_twice(first: &[u8], change: impl FnOnce(&Path)) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("a.log"), first).unwrap();
        let mut copies = Copies::default();
        copies.copy(&from, &to, &mut |_| {}).unwrap();
        change(&from.join("a.log"));
        copies.copy(&from, &to, &mut |_| {}).unwrap();
        assert_eq!(fs::read(to.join("a.log")).unwrap(), fs::read(from.join("a.log")).unwrap());
        fs::read(to.join("a.log")).unwrap()
    }

    fn write(path: &Path, at: u64, bytes: &[u8]) {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(at).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    #[test]
    fn a_file_that_was_cut_and_has_grown_again_is_copied_anew() {
        let lines = b"one\ntwo\nthree\n".repeat(20_000);
        // All of it, as copytruncate does it; and its end, as an output that goes back to its checkpoint.
        for cut in [0, lines.len() as u64 / 2, lines.len() as u64 - 4] {
            copied_twice(&lines, |path| write(path, cut, &b"and four\n".repeat(40_000)));
            copied_twice(&lines, |path| write(path, cut, b"x"));
        }
    }

    #[test]
    fn a_file_that_has_grown_gets_what_is_new() {
        assert_eq!(copied_twice(b"one\n", |path| write(path, 4, b"two\n")), b"one\ntwo\n");
        assert_eq!(copied_twice(b"", |path| write(path, 0, b"one\n")), b"one\n");
    }
}
