//! Which server each message went to, remembered over a restart.
//!
//! ```text
//! DATA_DIR/sent/ID.sent                       numbers are little-endian
//!
//!  0  8  magic "HKYKSENT"
//!  8  2  format version: 1
//! 10  2  header length: 16
//! 12  4  CRC-32 of bytes 0 to 12
//! 16  …  records, one for each message and server, in the order in which they went out:
//!          0  2  length of the id
//!          2  2  length of the address
//!          4  4  index of the message's first entry within its chunk
//!          8  8  segment of the chunk
//!         16  8  offset of the chunk
//!         24  …  id of the message
//!          …  …  address of the server, as the configuration or the DNS has it
//!          …  4  CRC-32 of the record
//! ```
//!
//! A record is written before the first byte of its message goes to that server, and not synced: a process that is killed
//! forgets nothing, and a power failure takes what the kernel had not written yet. Records of what lies before the cursor
//! are of no use and go when the log is [`MAX_LENGTH`] long. What is half written at its end was never sent.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::journal::Position;
use crate::journal::durable::{create_folder, replace_file};
use crate::storage::{Open, Storage, StorageFile, append_all, read_file};

const MAGIC: &[u8; 8] = b"HKYKSENT";
const FORMAT_VERSION: u16 = 1;
const HEADER_LENGTH: usize = 16;
const FIXED_LENGTH: usize = 24;
const CHECKSUM_LENGTH: usize = 4;

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

/// A record, taken apart.
struct Record<'a> {
    id: &'a [u8],
    address: &'a str,
    start: Position,
    /// All of it.
    bytes: &'a [u8],
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

fn header() -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    header[0..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
    let checksum = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Ids and addresses are far shorter than what two bytes can say; one that is not is not remembered.
fn record(id: &[u8], start: Position, address: &str) -> Vec<u8> {
    let (Ok(id_length), Ok(address_length)) = (u16::try_from(id.len()), u16::try_from(address.len())) else {
        return Vec::new();
    };
    let mut record = Vec::with_capacity(FIXED_LENGTH + id.len() + address.len() + CHECKSUM_LENGTH);
    record.extend_from_slice(&id_length.to_le_bytes());
    record.extend_from_slice(&address_length.to_le_bytes());
    record.extend_from_slice(&start.entry.to_le_bytes());
    record.extend_from_slice(&start.segment.to_le_bytes());
    record.extend_from_slice(&start.offset.to_le_bytes());
    record.extend_from_slice(id);
    record.extend_from_slice(address.as_bytes());
    let checksum = crc32fast::hash(&record);
    record.extend_from_slice(&checksum.to_le_bytes());
    record
}

/// The whole records of a log, oldest first; none where it is no log.
fn records(log: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = log.strip_prefix(&header()).unwrap_or_default();
    std::iter::from_fn(move || {
        let record = Record::read(rest)?;
        rest = &rest[record.bytes.len()..];
        Some(record)
    })
}

/// Up to where a log is whole; 0 where it is none.
fn whole_length(log: &[u8]) -> usize {
    match log.starts_with(&header()) {
        true => HEADER_LENGTH + records(log).map(|record| record.bytes.len()).sum::<usize>(),
        false => 0,
    }
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let two = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let eight = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let entry = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        let start = Position { segment: eight(8)?, offset: eight(16)?, entry };
        let address_at = FIXED_LENGTH + usize::from(two(0)?);
        let end = address_at + usize::from(two(2)?);
        let whole = bytes.get(..end + CHECKSUM_LENGTH)?;
        if crc32fast::hash(&whole[..end]).to_le_bytes() != whole[end..] {
            return None;
        }
        let address = str::from_utf8(&whole[address_at..end]).ok()?;
        Some(Self { id: &whole[FIXED_LENGTH..address_at], address, start, bytes: whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::disk;

    fn at(offset: u64) -> Position {
        Position { segment: 1, offset, entry: 0 }
    }

    fn open(folder: &Path, cursor: u64) -> SentLog {
        SentLog::open(&disk(), folder, "up", at(cursor))
    }

    #[test]
    fn where_messages_went_last_is_known_to_the_next_process_from_its_cursor_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path(), 0);
        for (id, offset, address) in
            [("a", 64, "one:1"), ("b", 128, "one:1"), ("c", 192, "two:2"), ("b", 128, "two:2")]
        {
            log.note(id.as_bytes(), at(offset), address);
        }
        assert_eq!(log.take(b"a"), None, "of this process");
        drop(log);
        let log = open(folder.path(), 128);
        assert_eq!(log.take(b"a"), None, "delivered");
        assert_eq!(log.take(b"b").as_deref(), Some("two:2"));
        assert_eq!(log.take(b"b"), None, "told once");
        assert_eq!(log.take(b"c").as_deref(), Some("two:2"));
    }

    #[test]
    fn a_log_cut_anywhere_keeps_its_whole_records_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sent/up.sent");
        let log = open(folder.path(), 0);
        log.note(b"a", at(64), "one:1");
        let first = std::fs::read(&path).unwrap().len();
        log.note(b"b", at(128), "two:2");
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let log = open(folder.path(), 0);
            assert_eq!(log.take(b"a").is_some(), length >= first, "{length}");
            assert_eq!(log.take(b"b").is_some(), length == whole.len(), "{length}");
            log.note(b"c", at(192), "three:3");
            let log = open(folder.path(), 0);
            assert_eq!(log.take(b"c").as_deref(), Some("three:3"), "{length}");
            assert_eq!(log.take(b"a").is_some(), length >= first, "{length}");
        }
    }

    #[test]
    fn a_damaged_record_ends_the_log_and_what_is_no_log_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sent/up.sent");
        let log = open(folder.path(), 0);
        log.note(b"a", at(64), "one:1");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        for bytes in [bytes, b"something else, and longer than a header".to_vec()] {
            std::fs::write(&path, bytes).unwrap();
            let log = open(folder.path(), 0);
            assert_eq!(log.take(b"a"), None);
            log.note(b"b", at(64), "two:2");
            assert_eq!(open(folder.path(), 0).take(b"b").as_deref(), Some("two:2"));
        }
    }

    #[test]
    fn a_long_log_forgets_what_lies_before_the_cursor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sent/up.sent");
        let log = open(folder.path(), 0);
        let length = || std::fs::metadata(&path).map_or(0, |file| file.len());
        let mut offset = 0;
        let mut note_until = |longer_than: u64| {
            while length() <= longer_than {
                offset += 64;
                log.note(&[7; 10_000], at(offset), "one:1");
            }
            offset
        };
        note_until(MAX_LENGTH);
        log.saved(at(0));
        assert!(length() > MAX_LENGTH, "all of it is still needed");
        let offset = note_until(2 * MAX_LENGTH + 50_000);
        log.note(b"last", at(offset), "one:1");
        log.saved(at(offset));
        assert!(length() < 11_000, "{}", length());
        log.note(b"next", at(offset + 64), "two:2");
        let log = open(folder.path(), offset);
        assert_eq!(log.take(b"last").as_deref(), Some("one:1"));
        assert_eq!(log.take(b"next").as_deref(), Some("two:2"));
    }
}
