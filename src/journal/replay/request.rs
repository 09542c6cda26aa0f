//! What an operator asks of an output, in a small file beside its cursor.
//!
//! ```text
//! DATA_DIR/cursors/ID.replay.request
//!
//!  0  8  magic "HKYKRPLY"
//!  8  2  format version: 1
//! 10  1  kind: 1 replay, 2 cancel
//! 11  1  zero
//! 12 16  journal id
//! 28  8  number of the replay
//! 36 20  from: segment, offset, entry
//! 56 20  until: segment, offset, entry; all bits set for "as far as it was delivered"
//! 76  4  CRC-32 of bytes 0 to 76
//! ```

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::super::durable::{replace_file, sync_folder_of};
use super::super::format::{FORMAT_VERSION, JournalId, array_at};
use super::super::{CursorError, CursorFolder, Position, SavedCursor};
use super::{Replay, Replays, read_position, write_position};
use crate::storage::read_file;

const MAGIC: [u8; 8] = *b"HKYKRPLY";
const LENGTH: usize = 80;
const SUFFIX: &str = ".replay.request";

/// What is asked of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub journal: JournalId,
    /// The number that the replay gets, or has.
    pub number: u64,
    pub kind: RequestKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Deliver again from here; `until` is `None` for everything that was delivered.
    Replay { from: Position, until: Option<Position> },
    /// Give the replay up and go on where the output was.
    Cancel,
}

/// Why a request comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it was taken up already")]
    Done,
    #[error("it was made for another journal")]
    OtherJournal,
    #[error("another replay goes on; wait for its end, or cancel it")]
    Busy,
    #[error("nothing of that time was delivered yet; it is going to be")]
    Nothing,
}

impl Request {
    /// The cursor that does what is asked, for an output that has delivered everything before `cursor`, and a journal
    /// that begins at `oldest`.
    pub fn apply(&self, cursor: &SavedCursor, oldest: Position) -> Result<SavedCursor, Refused> {
        if self.journal != cursor.journal {
            return Err(Refused::OtherJournal);
        }
        let Replays { count, current } = cursor.replays;
        match self.kind {
            RequestKind::Cancel if current.is_some() && self.number == count => Ok(cursor.resumed()),
            RequestKind::Cancel => Err(Refused::Done),
            RequestKind::Replay { .. } if self.number <= count => Err(Refused::Done),
            RequestKind::Replay { .. } if current.is_some() => Err(Refused::Busy),
            RequestKind::Replay { from, until } => {
                // A chunk of which a part was delivered is delivered from its start, after the replay: so nothing of it
                // is left out, and nothing comes more often than asked.
                let chunk = Position { entry: 0, ..cursor.position };
                let (until, resume) = match until {
                    Some(until) if until < chunk => (until, cursor.position),
                    _ => (chunk, chunk),
                };
                let from = from.max(oldest);
                if from >= until && resume == cursor.position {
                    return Err(Refused::Nothing);
                }
                let current = Some(Replay { until, resume });
                Ok(SavedCursor {
                    position: from.min(until),
                    replays: Replays { count: self.number, current },
                    ..*cursor
                })
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (kind, from, until) = match self.kind {
            RequestKind::Replay { from, until } => (1, from, until.unwrap_or(Position::END)),
            RequestKind::Cancel => (2, Position::END, Position::END),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[kind, 0]);
        bytes.extend_from_slice(&self.journal);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        write_position(&mut bytes, from);
        write_position(&mut bytes, until);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let checksum = u32::from_le_bytes(array_at(bytes, LENGTH - 4)?);
        if bytes.len() != LENGTH
            || array_at(bytes, 0) != Some(MAGIC)
            || array_at(bytes, 8).map(u16::from_le_bytes) != Some(FORMAT_VERSION)
            || crc32fast::hash(&bytes[..LENGTH - 4]) != checksum
        {
            return None;
        }
        let kind = match bytes[10] {
            1 => RequestKind::Replay {
                from: read_position(bytes, 36)?,
                until: Some(read_position(bytes, 56)?).filter(|until| *until != Position::END),
            },
            2 => RequestKind::Cancel,
            _ => return None,
        };
        Some(Self {
            journal: array_at(bytes, 12)?,
            number: array_at(bytes, 28).map(u64::from_le_bytes)?,
            kind,
        })
    }
}

impl CursorFolder {
    /// What is asked of an output; `None` where nothing is.
    pub fn request(&self, id: &str) -> Result<Option<Request>, CursorError> {
        let path = self.request_path(id);
        match read_file(self.storage.as_ref(), &path) {
            Ok(Some(bytes)) => Request::decode(&bytes).map(Some).ok_or(CursorError::DamagedRequest { path }),
            Ok(None) => Ok(None),
            Err(source) => Err(CursorError::Io { action: "read the request beside", path, source }),
        }
    }

    /// Asks something of an output, durably, in the place of what was asked before. Gives the file.
    pub fn ask(&self, id: &str, request: &Request) -> Result<PathBuf, CursorError> {
        let path = self.request_path(id);
        match replace_file(self.storage.as_ref(), &path, &request.encode()) {
            Ok(()) => Ok(path),
            Err(error) => Err(CursorError::Io { action: "put a request beside", path, source: error.into() }),
        }
    }

    /// Removes what was asked of an output.
    pub fn forget_request(&self, id: &str) -> Result<(), CursorError> {
        let path = self.request_path(id);
        match self.storage.remove(&path).and_then(|()| sync_folder_of(self.storage.as_ref(), &path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|source| CursorError::Io {
                action: "remove the request beside",
                path,
                source,
            }),
        }
    }

    /// The ids of outputs of which something is asked, with when it was, sorted.
    pub fn requests(&self) -> Result<Vec<(String, SystemTime)>, CursorError> {
        let listed = self.storage.list(&self.path).map_err(|source| CursorError::Io {
            action: "list the requests beside",
            path: self.path.clone(),
            source,
        })?;
        let requests = listed.into_iter().filter_map(|file| {
            let id = file.path.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
            Some((id.to_owned(), file.modified))
        });
        let mut requests: Vec<_> = requests.collect();
        requests.sort_unstable();
        Ok(requests)
    }

    fn request_path(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}{SUFFIX}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u64, offset: u64) -> Position {
        Position::new(segment, offset)
    }

    fn cursor(position: Position) -> SavedCursor {
        SavedCursor { journal: [1; 16], position, generation: 5, replays: Replays::default() }
    }

    fn replay(number: u64, from: Position, until: Option<Position>) -> Request {
        Request { journal: [1; 16], number, kind: RequestKind::Replay { from, until } }
    }

    #[test]
    fn a_request_reads_back_and_every_flipped_bit_and_cut_is_noticed() {
        for request in [
            replay(7, at(1, 64), None),
            replay(7, at(1, 64), Some(at(2, 64))),
            Request { kind: RequestKind::Cancel, ..replay(7, at(0, 0), None) },
        ] {
            let bytes = request.encode();
            assert_eq!(bytes.len(), LENGTH);
            assert_eq!(Request::decode(&bytes), Some(request));
            for bit in 0..LENGTH * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Request::decode(&damaged), None, "bit {bit}");
            }
            for length in 0..LENGTH {
                assert_eq!(Request::decode(&bytes[..length]), None);
            }
        }
    }

    #[test]
    fn it_begins_once_and_goes_on_where_it_was() {
        let before = cursor(at(5, 100));
        let during = replay(1, at(2, 64), Some(at(3, 64))).apply(&before, at(1, 64)).unwrap();
        assert_eq!((during.position, during.replays.number()), (at(2, 64), 1));
        assert!(!during.ends_replay(at(2, 9999)) && during.ends_replay(at(3, 64)));
        assert_eq!(replay(1, at(2, 64), None).apply(&during, at(1, 64)), Err(Refused::Done));
        assert_eq!(replay(2, at(2, 64), None).apply(&during, at(1, 64)), Err(Refused::Busy));
        let after = during.resumed();
        assert_eq!((after.position, after.replays.number(), after.generation), (at(5, 100), 0, 5));
        assert_eq!(replay(1, at(2, 64), None).apply(&after, at(1, 64)), Err(Refused::Done));
        assert!(replay(2, at(2, 64), None).apply(&after, at(1, 64)).is_ok());
    }

    #[test]
    fn it_ends_at_what_was_not_delivered_and_begins_at_what_is_kept() {
        let before = cursor(at(5, 100));
        for until in [None, Some(at(5, 100)), Some(at(9, 64))] {
            let during = replay(1, at(1, 64), until).apply(&before, at(3, 64)).unwrap();
            assert_eq!(during.position, at(3, 64));
            assert_eq!(during.replays.current, Some(Replay { until: at(5, 100), resume: at(5, 100) }));
        }
        assert_eq!(replay(1, at(5, 100), None).apply(&before, at(1, 64)), Err(Refused::Nothing));
        assert_eq!(replay(1, at(1, 64), Some(at(2, 64))).apply(&before, at(3, 64)), Err(Refused::Nothing));
    }

    #[test]
    fn a_chunk_that_is_half_delivered_is_delivered_from_its_start_behind_the_replay() {
        let before = cursor(Position { entry: 7, ..at(5, 100) });
        let during = replay(1, at(2, 64), None).apply(&before, at(1, 64)).unwrap();
        assert_eq!(during.resumed().position, at(5, 100));
        let earlier = replay(1, at(2, 64), Some(at(3, 64))).apply(&before, at(1, 64)).unwrap();
        assert_eq!(earlier.resumed().position, before.position);
        let only_this = replay(1, at(5, 100), None).apply(&before, at(1, 64)).unwrap();
        assert_eq!((only_this.position, only_this.resumed().position), (at(5, 100), at(5, 100)));
    }

    #[test]
    fn a_cancelled_one_goes_on_where_it_was() {
        let during = replay(1, at(2, 64), None).apply(&cursor(at(5, 100)), at(1, 64)).unwrap();
        let cancel = |number| Request { kind: RequestKind::Cancel, ..replay(number, at(0, 0), None) };
        assert_eq!(cancel(1).apply(&during, at(1, 64)).unwrap(), during.resumed());
        assert_eq!(cancel(2).apply(&during, at(1, 64)), Err(Refused::Done));
        assert_eq!(cancel(1).apply(&during.resumed(), at(1, 64)), Err(Refused::Done));
    }

    #[test]
    fn one_of_another_journal_is_not_taken_up() {
        let request = Request { journal: [2; 16], ..replay(1, at(2, 64), None) };
        assert_eq!(request.apply(&cursor(at(5, 100)), at(1, 64)), Err(Refused::OtherJournal));
    }
}
