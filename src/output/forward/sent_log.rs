//! Which server each message went to, remembered over a restart.
//!
//! A record is written before the first byte of its message goes to that server, and not synced: a process that is killed
//! forgets nothing, and a power failure takes what the kernel had not written yet. Records of what lies before the cursor
//! are of no use and go when the log is [`MAX_LENGTH`] long. What is half written at its end was never sent.

mod records;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::journal::Position;
use crate::journal::durable::{create_folder, replace_file};
use crate::storage::{Open, Storage, StorageFile, append_all, read_file};
use records::{HEADER_LENGTH, header, record, records, whole_length};

/// Where the log is written anew with what is still needed; then it grows to twice that before it is again.
const MAX_LENGTH: u64 = 1024 * 1024;

/// The log of one output.
#[derive(Debug)]
pub(super) struct SentLog {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    output: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None`: it could not be opened or written, and is made anew next time.
    file: Option<Box<dyn StorageFile>>,
    length: u64,
    /// How long it may get before it is written anew.
    limit: u64,
    has_failed: bool,
    /// Of the process before: where its messages went, by their ids.
    before: HashMap<Bytes, Arc<str>>,
}

impl SentLog {
    /// Reads what the process before has left for messages from `cursor` on. A log that can't be read is begun anew, with a
    /// warning: without it a message may go to another server than before.
    pub(super) fn open(storage: &Arc<dyn Storage>, data_dir: &Path, output: &str, cursor: Position) -> Self {
        let path = data_dir.join("sent").join(format!("{output}.sent"));
        let bytes = read_file(storage.as_ref(), &path).unwrap_or_else(|error| {
            tracing::warn!(
                output, path = %path.display(), %error,
                "cannot read which server had which message: they may go to others"
            );
            None
        });
        let mut before = HashMap::new();
        let mut servers: HashMap<String, Arc<str>> = HashMap::new();
        for record in records(bytes.as_deref().unwrap_or_default()).filter(|record| record.start >= cursor) {
            let address = servers.entry(record.address.to_owned()).or_insert_with(|| record.address.into());
            before.insert(Bytes::copy_from_slice(record.id), Arc::clone(address));
        }
        let state = State { file: None, length: 0, limit: MAX_LENGTH, has_failed: false, before };
        Self { storage: Arc::clone(storage), path, output: output.to_owned(), state: Mutex::new(state) }
    }

    /// The address of the server that the process before sent this message to. Told once.
    pub(super) fn take(&self, id: &[u8]) -> Option<Arc<str>> {
        self.lock().before.remove(id)
    }

    /// Writes down that a message is about to go to this server. Where that fails, the message goes all the same, and
    /// the operator is told once.
    pub(super) fn note(&self, id: &[u8], start: Position, address: &str) {
        let mut state = self.lock();
        let record = record(id, start, address);
        match self.append(&mut state, &record) {
            Ok(()) => state.has_failed = false,
            Err(error) => {
                state.file = None;
                if !std::mem::replace(&mut state.has_failed, true) {
                    tracing::warn!(
                        output = self.output, path = %self.path.display(), %error,
                        "cannot write down which server gets a message: after a restart it may go to another as well"
                    );
                }
            }
        }
    }

    /// Forgets what lies before the cursor, once the log is long.
    pub(super) fn saved(&self, cursor: Position) {
        let mut state = self.lock();
        if state.length <= state.limit {
            return;
        }
        match self.shorten(cursor) {
            Ok(length) => {
                state.file = None;
                state.limit = MAX_LENGTH.max(2 * length);
            }
            // It goes on with the long one, and tries again when that is half as long again.
            Err(error) => {
                state.limit = state.length + state.length / 2;
                tracing::warn!(
                    output = self.output, path = %self.path.display(), %error,
                    "cannot shorten the list of which server had which message"
                );
            }
        }
    }

    fn append(&self, state: &mut State, record: &[u8]) -> io::Result<()> {
        let file = match state.file.take() {
            Some(file) => file,
            None => {
                let (file, length) = self.open_file()?;
                state.length = length;
                file
            }
        };
        append_all(file.as_ref(), record)?;
        state.length += record.len() as u64;
        state.file = Some(file);
        Ok(())
    }

    /// Goes on behind the last whole record.
    fn open_file(&self) -> io::Result<(Box<dyn StorageFile>, u64)> {
        let storage = self.storage.as_ref();
        let bytes = read_file(storage, &self.path)?;
        let whole = bytes.as_deref().map_or(0, whole_length);
        if whole == 0 {
            create_folder(storage, self.path.parent().unwrap_or(&self.path))?;
            replace_file(storage, &self.path, &header())?;
        }
        let file = storage.open(&self.path, Open::Appending)?;
        let length = whole.max(HEADER_LENGTH) as u64;
        file.set_len(length)?;
        Ok((file, length))
    }

    /// Gives the new length.
    fn shorten(&self, cursor: Position) -> io::Result<u64> {
        let bytes = read_file(self.storage.as_ref(), &self.path)?.unwrap_or_default();
        let mut kept = header().to_vec();
        for record in records(&bytes).filter(|record| record.start >= cursor) {
            kept.extend_from_slice(record.bytes);
        }
        replace_file(self.storage.as_ref(), &self.path, &kept)?;
        Ok(kept.len() as u64)
    }

    /// A panic elsewhere leaves at most a log that is opened anew.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
