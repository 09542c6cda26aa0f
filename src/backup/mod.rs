//! A copy of a data folder, and of archive files, as they were at one moment: what a crash at that moment would have left,
//! with what recovery would take back left out. The server may run.
//!
//! ```text
//! DIR/data/…                       the data folder, to be put in the place of `data_dir`
//! DIR/archive/ABSOLUTE/PATH/…      archive files below their absolute paths, cut to the checkpoints of these cursors
//! ```
//!
//! Nothing is locked and no server is asked. Three things make a moment of it:
//!
//! * **Sealed segments and files of large chunks never change**, so they get a second name (a hard link) where the copy is
//!   on the same file system, and stay whatever the server lets go of. Of the segment that is written only whole frames are
//!   copied (`journal.rs`).
//! * **Archive files only grow**, so a pass over them copies what is new; the first one takes as long as it takes, the next
//!   ones are short (`files.rs`).
//! * **Cursors stand still between two checkpoints.** A pass counts if the cursors of all file outputs were the same before
//!   and after it. Then the undo logs of their generations say how long each file was at the checkpoint, since what is
//!   written later is recorded there first; the copies are cut to that (`undo.rs`).
//!
//! Cursors of forward outputs need not stand still: one from a moment earlier sends again what the server upstream
//! recognises by its id.

mod error;
mod files;
mod journal;
mod undo;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use error::BackupError;
use files::Copies;

use crate::journal::{CursorFolder, SavedCursor};
use crate::storage::StorageFile;

/// Passes before it is said that the server saves its cursors faster than anything can be copied.
const MAX_PASSES: u32 = 100;

/// What is copied, and where to.
#[derive(Debug)]
pub struct Backup {
    data_dir: PathBuf,
    target: PathBuf,
    /// Folders of archive files.
    archives: Vec<PathBuf>,
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Segments that the journal had, given a second name or copied.
    pub segments: u64,
    pub archive_files: u64,
    /// Bytes of the archive files.
    pub archive_bytes: u64,
    /// Archive files of which what was not checkpointed was left out.
    pub cut_files: u64,
    pub passes: u32,
}

/// The cursors of a data folder, by id.
type Cursors = BTreeMap<String, SavedCursor>;

impl Backup {
    /// Of a data folder and the archive files below these folders. Makes the folder, which must be new or empty.
    pub fn new(data_dir: &Path, target: &Path, archives: Vec<PathBuf>) -> Result<Self, BackupError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| BackupError::Io {
                action: "find",
                path: path.to_owned(),
                source,
            })
        };
        let (data_dir, target) = (absolute(data_dir)?, absolute(target)?);
        let archives: Vec<_> = archives.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
        let sources = archives.iter().chain([&data_dir]);
        if let Some(source) = sources.into_iter().find(|source| target.starts_with(source)) {
            return Err(BackupError::Inside { target, folder: source.clone() });
        }
        fs::create_dir_all(&target).map_err(|source| BackupError::io("make", &target, source))?;
        let mut entries = fs::read_dir(&target).map_err(|source| BackupError::io("list", &target, source))?;
        if entries.next().is_some() {
            return Err(BackupError::NotEmpty { target });
        }
        Ok(Self { data_dir, target, archives })
    }

    /// Copies until there is a pass in which no file output saved its cursor; `copied` is told the bytes of archive files
    /// as they are copied.
    pub fn run(&self, mut copied: impl FnMut(u64)) -> Result<BackupReport, BackupError> {
        let mut archive = Copies::default();
        self.copy_archive(&mut archive, &mut copied)?;
        for pass in 1..=MAX_PASSES {
            if let Some(mut report) = self.pass(&mut archive, &mut copied)? {
                self.sync()?;
                report.passes = pass;
                return Ok(report);
            }
        }
        Err(BackupError::NoRest { passes: MAX_PASSES })
    }

    /// The data folder of the copy.
    pub fn data_dir(&self) -> PathBuf {
        self.target.join("data")
    }

    /// The data folders, each with its copy: what outputs gave up is in one of its own. Its cursors come first, since that
    /// with which an output holds what it gave up must not be from later than the output's own.
    fn data_dirs(&self) -> impl Iterator<Item = (PathBuf, PathBuf)> {
        let folders = [self.data_dir.join("given-up"), self.data_dir.clone()];
        let copies = [self.data_dir().join("given-up"), self.data_dir()];
        folders.into_iter().zip(copies).filter(|(folder, _)| folder.is_dir())
    }

    /// `None` where a file output saved its cursor meanwhile.
    fn pass(
        &self,
        archive: &mut Copies,
        copied: &mut impl FnMut(u64),
    ) -> Result<Option<BackupReport>, BackupError> {
        let mut before = Vec::new();
        for (folder, copy) in self.data_dirs() {
            journal::copy(&folder, &copy)?;
            before.push(self.copy_cursors(&folder, &copy)?);
        }
        self.copy_archive(archive, copied)?;
        let mut report = BackupReport::default();
        let mut cuts = Vec::new();
        for ((folder, copy), before) in self.data_dirs().zip(&before) {
            files::copy_folder(&folder, &copy)?;
            // Again, for what the cursors know by now.
            journal::copy(&folder, &copy)?;
            for (id, cursor) in before {
                cuts.extend(undo::read(&folder, id, cursor.generation)?);
            }
        }
        for ((folder, copy), before) in self.data_dirs().zip(&before) {
            if undo::file_outputs(&folder, before)? != undo::file_outputs(&folder, &cursors_of(&folder)?)? {
                return Ok(None);
            }
            match journal::tidy(&copy)? {
                Some(segments) => report.segments += segments,
                None => return Ok(None),
            }
        }
        for cut in &cuts {
            report.cut_files += u64::from(archive.cut(cut)?);
        }
        (report.archive_files, report.archive_bytes) = archive.totals();
        Ok(Some(report))
    }

    fn copy_cursors(&self, folder: &Path, copy: &Path) -> Result<Cursors, BackupError> {
        let cursors = cursors_of(folder)?;
        files::copy_cursors(folder, copy, &cursors)?;
        Ok(cursors)
    }

    fn copy_archive(&self, archive: &mut Copies, copied: &mut impl FnMut(u64)) -> Result<(), BackupError> {
        for folder in &self.archives {
            let relative = folder.strip_prefix("/").unwrap_or(folder);
            archive.copy(folder, &self.target.join("archive").join(relative), copied)?;
        }
        // Letters are written like archive files.
        let letters = self.data_dir.join("dead-letters");
        archive.copy_letters(&letters, &self.data_dir().join("dead-letters"), copied)
    }

    /// Makes all of the copy durable.
    fn sync(&self) -> Result<(), BackupError> {
        let folder = fs::File::open(&self.target);
        folder
            .and_then(|folder| StorageFile::sync_filesystem(&folder))
            .map_err(|source| BackupError::io("sync", &self.target, source))
    }
}

fn cursors_of(data_dir: &Path) -> Result<Cursors, BackupError> {
    let folder = CursorFolder::new(data_dir);
    let mut cursors = Cursors::new();
    for id in folder.ids()? {
        if let Some(cursor) = folder.load(&id)? {
            cursors.insert(id, cursor);
        }
    }
    Ok(cursors)
}

/// Whether something is not there, which may have been let go of meanwhile.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
