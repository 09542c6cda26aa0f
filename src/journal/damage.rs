//! Setting damaged bytes aside: out of the way, counted, and kept for whoever can still read something in them.

use std::io;
use std::path::{Path, PathBuf};

use super::Position;
use super::frame_reader::FrameReader;
use super::large::LargePlace;
use super::segment_file::SegmentFolder;
use super::shared::Shared;

/// Copies a damaged range to `DATA_DIR/journal/damaged/`, counts it and says so, once for each place.
pub(super) fn set_aside(shared: &Shared, reader: &mut FrameReader, from: u64, to: u64) {
    let position = Position::new(reader.segment(), from);
    if !shared.is_new_damage(position) {
        return;
    }
    shared.metrics.damaged_bytes.inc_by(to - from);
    let segment = shared.folder.segment_path(position.segment);
    match copy(shared, reader, position, to) {
        Ok(copy) => tracing::error!(
            segment = %segment.display(),
            from,
            to,
            copy = %copy.display(),
            "a part of the journal was synced once and no longer reads back: the chunks in it are lost, and a copy of \
             its bytes was set aside. Everything else is intact. Check the disk"
        ),
        Err(error) => tracing::error!(
            segment = %segment.display(),
            from,
            to,
            %error,
            "a part of the journal was synced once and no longer reads back, and its bytes cannot be set aside: the \
             chunks in it are lost. Everything else is intact. Check the disk"
        ),
    }
}

/// Counts what a segment holds from an offset on, where the disk can't even open it, and says so, once.
pub(super) fn tell_unreadable(shared: &Shared, from: Position, to: u64, error: &io::Error) {
    if !shared.is_new_damage(from) {
        return;
    }
    shared.metrics.damaged_bytes.inc_by(to.saturating_sub(from.offset));
    tracing::error!(
        segment = %shared.folder.segment_path(from.segment).display(),
        from = from.offset,
        to,
        %error,
        "a journal segment can't be opened, however often it was tried: the chunks in it are lost. Everything else is intact. \
         Check the disk"
    );
}

/// Counts the part of a large file that is lost and says so, once for each chunk. The file gets a second name in
/// `DATA_DIR/journal/damaged/`, so that it outlives its segment.
pub(super) fn set_large_aside(shared: &Shared, position: Position, lost: u64, reason: &str) {
    let position = Position { entry: 0, ..position };
    if !shared.is_new_damage(position) {
        return;
    }
    shared.metrics.damaged_bytes.inc_by(lost);
    let place = LargePlace { segment: position.segment, offset: position.offset };
    let path = shared.folder.large_path(place);
    match set_file_aside(&shared.folder, &path) {
        Ok(copy) => tracing::error!(
            %position, file = %path.display(), lost, reason, copy = %copy.display(),
            "a large chunk was synced once and no longer reads back: the entries from there on are lost, and the file \
             was set aside. Everything else is intact. Check the disk"
        ),
        Err(error) => tracing::error!(
            %position, file = %path.display(), lost, reason, %error,
            "a large chunk was synced once and no longer reads back, and its file cannot be set aside: the entries from \
             there on are lost. Everything else is intact. Check the disk"
        ),
    }
}

/// Gives a file a second name in the folder of what is damaged.
pub(super) fn set_file_aside(folder: &SegmentFolder, path: &Path) -> io::Result<PathBuf> {
    let damaged = folder.path().join("damaged");
    super::durable::create_folder(folder.storage().as_ref(), &damaged)?;
    let to = damaged.join(path.file_name().unwrap_or_default());
    match folder.storage().link(path, &to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(to),
        linked => {
            linked?;
            super::durable::sync_folder_of(folder.storage().as_ref(), &to)?;
            Ok(to)
        }
    }
}

fn copy(shared: &Shared, reader: &mut FrameReader, from: Position, to: u64) -> io::Result<PathBuf> {
    let folder = shared.folder.path().join("damaged");
    let storage = shared.folder.storage().as_ref();
    super::durable::create_folder(storage, &folder)?;
    let path = folder.join(format!("{:016}-{}.bytes", from.segment, from.offset));
    if storage.stat(&path)?.is_none() {
        super::durable::replace_file(storage, &path, &reader.bytes(from.offset, to)?)?;
    }
    Ok(path)
}
