//! Setting damaged bytes aside: out of the way, counted, and kept for whoever can still read something in them.

use std::path::PathBuf;

use super::Position;
use super::frame_reader::FrameReader;
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

fn copy(shared: &Shared, reader: &mut FrameReader, from: Position, to: u64) -> std::io::Result<PathBuf> {
    let folder = shared.folder.path().join("damaged");
    let storage = shared.folder.storage().as_ref();
    super::durable::create_folder(storage, &folder)?;
    let path = folder.join(format!("{:016}-{}.bytes", from.segment, from.offset));
    if storage.stat(&path)?.is_none() {
        super::durable::replace_file(storage, &path, &reader.bytes(from.offset, to)?)?;
    }
    Ok(path)
}
