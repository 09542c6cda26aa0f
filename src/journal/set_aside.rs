//! Segments that an output left behind undelivered, kept for it as they are.
//!
//! ```text
//! DATA_DIR/dead-letters/segments/ID/
//!   journal/0000000000000007.seg               the segment: another name of the journal's own file, not a copy
//!   journal/0000000000000007-….large           the entries of its large chunks, likewise
//!   0000000000000007.from                      where the undelivered part of it begins, as a cursor
//! ```
//!
//! The folder of an output is laid out as a data folder, so that whatever looks into a journal can look into it. A
//! segment is set aside once its `.from` is durable, which comes last: an output whose cursor still stands before the
//! end of such a segment goes on behind it, and a segment without one is removed by the next start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::cursor::{Fault, SavedCursor, decode, encode};
use super::durable::{ReplaceError, create_folder, replace_file, sync_folder_of};
use super::inspect::Inspection;
use super::large::LargePlace;
use super::segment_file::SegmentFolder;
use crate::storage::{Storage, disk, read_file};

const EXTENSION: &str = "from";

/// A segment can't be set aside, or what was can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SetAsideError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// What is there has to be made durable first, and read.
    #[error("cannot tell whether {} was written: {source}. Check the disk", path.display())]
    Uncertain { path: PathBuf, source: io::Error },
    #[error(
        "{} is of another journal: move it away, or the segments of this journal can't be set aside",
        path.display()
    )]
    InTheWay { path: PathBuf },
    #[error(
        "{} holds {held} bytes, and with {more} more that is over max_set_aside ({max}): deliver or drop dead letters, or \
         raise it. Until then the journal fills up",
        path.display()
    )]
    Full { path: PathBuf, held: u64, more: u64, max: u64 },
    #[error("{} is damaged: remove it if the segment beside it is not needed", path.display())]
    Damaged { path: PathBuf },
}

/// All segments that were set aside.
#[derive(Debug, Clone)]
pub struct SetAside {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

/// A segment that was set aside for one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAsideSegment {
    pub segment: u64,
    /// Where the part that the output had not delivered begins; the part goes to the segment's end.
    pub from: SavedCursor,
    /// Bytes of its files, which the journal may hold as well.
    pub bytes: u64,
    /// When it was set aside, or retried in part.
    pub since: SystemTime,
}

impl SetAsideSegment {
    /// Whether the output has gone on behind it. Until then it must stay: by it the next start knows where to go on.
    pub fn is_left_by(&self, cursor: &SavedCursor) -> bool {
        self.from.journal != cursor.journal || cursor.resumed().position.segment > self.segment
    }
}

impl SetAside {
    /// Below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// That of a data folder on this storage.
    pub fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self { storage, path: data_dir.join("dead-letters").join("segments") }
    }

    /// Ids of the outputs that have something there, sorted.
    pub fn outputs(&self) -> Result<Vec<String>, SetAsideError> {
        let listed = self.storage.list(&self.path).map_err(io_error("list", &self.path))?;
        let names = listed.into_iter().filter(|listed| listed.is_folder);
        let mut ids: Vec<String> =
            names.filter_map(|listed| Some(listed.path.file_name()?.to_str()?.to_owned())).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// What was set aside for an output, oldest first.
    pub fn segments(&self, id: &str) -> Result<Vec<SetAsideSegment>, SetAsideError> {
        let folder = self.path.join(id);
        let files = self.files(id)?;
        let mut segments = Vec::new();
        for listed in self.storage.list(&folder).map_err(io_error("list", &folder))? {
            let path = listed.path;
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let Some(bytes) = read_file(self.storage.as_ref(), &path).map_err(io_error("read", &path))?
            else {
                // A server that retries it has removed it meanwhile.
                continue;
            };
            let (from, _) =
                decode(&bytes).map_err(|_: Fault| SetAsideError::Damaged { path: path.clone() })?;
            let segment = from.position.segment;
            let bytes = files.iter().filter(|file| file.segment == segment).map(|file| file.length).sum();
            segments.push(SetAsideSegment { segment, from, bytes, since: listed.modified });
        }
        segments.sort_unstable_by_key(|segment| segment.segment);
        Ok(segments)
    }

    /// The segments of an output, to be looked into as a journal.
    pub fn inspection(&self, id: &str) -> Inspection {
        Inspection::on(Arc::clone(&self.storage), &self.path.join(id))
    }

    /// The part of a segment that is set aside begins later now: what lies before was delivered another way.
    pub fn advance(&self, id: &str, from: &SavedCursor) -> Result<(), SetAsideError> {
        self.put_record(id, from)
    }

    /// Removes a segment of an output: delivered another way, or not wanted.
    pub fn remove(&self, id: &str, segment: u64) -> Result<(), SetAsideError> {
        let record = self.record(id, segment);
        self.storage
            .remove(&record)
            .and_then(|()| sync_folder_of(self.storage.as_ref(), &record))
            .map_err(io_error("remove", &record))?;
        self.remove_files(id, |file| file.segment == segment)
    }

    /// Bytes that are set aside for an output.
    pub fn bytes(&self, id: &str) -> Result<u64, SetAsideError> {
        Ok(self.files(id)?.iter().map(|file| file.length).sum())
    }

    /// Sets the part of a segment aside that begins at a position, with the large files of that segment.
    pub(super) fn put(
        &self,
        journal: &SegmentFolder,
        id: &str,
        from: &SavedCursor,
        large: &[(LargePlace, u64)],
        max_size: u64,
    ) -> Result<(), SetAsideError> {
        let segment = from.position.segment;
        let folder = self.folder(id);
        create_folder(self.storage.as_ref(), folder.path()).map_err(io_error("make", folder.path()))?;
        let mut names = vec![(journal.segment_path(segment), folder.segment_path(segment))];
        names.extend(large.iter().map(|(place, _)| (journal.large_path(*place), folder.large_path(*place))));
        let held =
            self.files(id)?.iter().filter(|file| file.segment != segment).map(|file| file.length).sum();
        let mut more = 0;
        for (file, _) in &names {
            more += self.storage.stat(file).map_err(io_error("look at", file))?.map_or(0, |stat| stat.length);
        }
        if held + more > max_size {
            let path = self.path.join(id);
            return Err(SetAsideError::Full { path, held, more, max: max_size });
        }
        for (file, name) in &names {
            self.link(file, name)?;
        }
        folder.sync().map_err(io_error("sync", folder.path()))?;
        self.put_record(id, from)
    }

    fn put_record(&self, id: &str, from: &SavedCursor) -> Result<(), SetAsideError> {
        let record = self.record(id, from.position.segment);
        replace_file(self.storage.as_ref(), &record, &encode(from, &[])).map_err(|error| match error {
            ReplaceError::Unchanged(source) => SetAsideError::Io { action: "write", path: record, source },
            ReplaceError::Uncertain(source) => SetAsideError::Uncertain { path: record, source },
        })
    }

    /// Where an output goes on, by what was set aside of the segment that its cursor is in; and removes what was not
    /// set aside to the end. At start, when nobody else looks.
    pub(super) fn settle(&self, id: &str, cursor: SavedCursor) -> Result<SavedCursor, SetAsideError> {
        let segments = self.segments(id)?;
        let cursor = self.behind(id, cursor, &segments)?;
        self.remove_files(id, |file| segments.iter().all(|kept| kept.segment != file.segment))?;
        Ok(cursor)
    }

    /// Where an output goes on, as for [`settle`](Self::settle), while others look on.
    pub(super) fn find_out(&self, id: &str, cursor: SavedCursor) -> Result<SavedCursor, SetAsideError> {
        self.behind(id, cursor, &self.segments(id)?)
    }

    fn behind(
        &self,
        id: &str,
        cursor: SavedCursor,
        segments: &[SetAsideSegment],
    ) -> Result<SavedCursor, SetAsideError> {
        if !segments.is_empty() {
            // A record may have its new name, and the sync of that have failed, or not have been reached by the process
            // before.
            let folder = self.path.join(id);
            self.storage.sync_folder(&folder).map_err(io_error("sync", &folder))?;
        }
        Ok(segments.iter().fold(cursor, |cursor, SetAsideSegment { segment, from, .. }| {
            // What begins a replay knows where the output was.
            let is_in_it = from.journal == cursor.journal
                && cursor.replays.current.is_none()
                && cursor.position.segment == *segment
                && cursor.position >= from.position;
            match is_in_it {
                true => SavedCursor { position: super::backlog::start_of(segment + 1), ..cursor },
                false => cursor,
            }
        }))
    }

    fn link(&self, file: &Path, name: &Path) -> Result<(), SetAsideError> {
        match self.storage.link(file, name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let of = |path: &Path| self.storage.stat(path).map_err(io_error("look at", path));
                let is_same = of(file)?.map(|stat| stat.identity) == of(name)?.map(|stat| stat.identity);
                is_same.then_some(()).ok_or_else(|| SetAsideError::InTheWay { path: name.to_owned() })
            }
            linked => linked.map_err(io_error("set aside as", name)),
        }
    }

    fn files(&self, id: &str) -> Result<Vec<SetAsideFile>, SetAsideError> {
        let folder = self.folder(id);
        let listing = self.storage.list(folder.path()).map_err(io_error("list", folder.path()))?;
        let number = |path: &Path| path.file_stem()?.to_str()?.split('-').next()?.parse().ok();
        let files = listing.into_iter().filter_map(|listed| {
            Some(SetAsideFile { segment: number(&listed.path)?, length: listed.length, path: listed.path })
        });
        Ok(files.collect())
    }

    fn remove_files(&self, id: &str, which: impl Fn(&SetAsideFile) -> bool) -> Result<(), SetAsideError> {
        for file in self.files(id)?.into_iter().filter(which) {
            self.storage.remove(&file.path).map_err(io_error("remove", &file.path))?;
        }
        Ok(())
    }

    fn folder(&self, id: &str) -> SegmentFolder {
        SegmentFolder::new(Arc::clone(&self.storage), self.path.join(id).join("journal"))
    }

    fn record(&self, id: &str, segment: u64) -> PathBuf {
        self.path.join(id).join(format!("{segment:016}.{EXTENSION}"))
    }
}

/// A segment or a large file of one.
#[derive(Debug)]
struct SetAsideFile {
    segment: u64,
    length: u64,
    path: PathBuf,
}

fn io_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> SetAsideError + 'a {
    move |source| SetAsideError::Io { action, path: path.to_owned(), source }
}
