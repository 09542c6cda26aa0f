//! Entries, and runs of them: what PackedForward carries, and what the journal keeps for every message form.
//!
//! ```text
//! [time, record]               Fluentd, logger libraries
//! [[time, metadata], record]   Fluent Bit since 5.0.5
//! ```
//!
//! A *group mark* of Fluent Bit has the shape of an entry, and is none: its time is an EventTime of 0xFFFFFFFF (start) or
//! 0xFFFFFFFE (end) seconds and no nanoseconds. The record of a start mark says what the entries up to the end mark have
//! in common, as `resource` and `scope` of OpenTelemetry.

use super::msgpack::{LikelyKeys, MAX_DEPTH, MsgpackError, Token, read, skip_within};
use super::time::{EVENT_TIME, read_time};
use crate::event_time::EventTime;

/// What a run holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Item<'a> {
    Event(Entry<'a>),
    /// Not an event, and not bad either.
    Mark(GroupMark<'a>),
    Bad(BadEntry<'a>),
}

impl<'a> Item<'a> {
    /// The event, if it is one.
    pub fn event(self) -> Option<Entry<'a>> {
        match self {
            Self::Event(entry) => Some(entry),
            Self::Mark(_) | Self::Bad(_) => None,
        }
    }
}

/// Where a group of events begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMark<'a> {
    /// With what the events of the group have in common, an encoded map. A group that is open ends here.
    Start(&'a [u8]),
    End,
}

/// One event as the sender encoded it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// `None`: the sender gave no time, and the time of receipt stands in.
    pub time: Option<EventTime>,
    /// Fluent Bit's metadata map, encoded.
    pub metadata: Option<&'a [u8]>,
    /// The record, an encoded map.
    pub record: &'a [u8],
}

/// An entry that is well-formed msgpack and yet no event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadEntry<'a> {
    /// The whole value.
    pub bytes: &'a [u8],
    pub reason: BadEntryReason,
}

/// What is wrong with a [`BadEntry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEntryReason {
    #[error("the entry is no array of time and record")]
    Shape,
    #[error("the time is no time")]
    Time,
    #[error("the record is no map")]
    Record,
}

impl BadEntryReason {
    /// One word for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Shape => "entry_shape",
            Self::Time => "entry_time",
            Self::Record => "entry_record",
        }
    }
}

/// Walks over a run of entries.
///
/// Yields `Err` once and ends where the bytes are no msgpack, since nothing behind that point can be told apart;
/// an entry that is merely no event is an [`Item::Bad`], and the walk goes on behind it.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    at: usize,
    max_depth: usize,
    /// Of the record before.
    keys: LikelyKeys,
}

impl<'a> Entries<'a> {
    /// Over plain (inflated) msgpack.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_max_depth(bytes, MAX_DEPTH)
    }

    /// As [`Entries::new`], for records (and metadata, and bad entries) that may be nested so deep.
    pub fn with_max_depth(bytes: &'a [u8], max_depth: usize) -> Self {
        Self { bytes, at: 0, max_depth, keys: LikelyKeys::NONE }
    }

    /// The offset of the next entry.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What the next entry holds before its record, if it may be an event: for those who walk over records themselves,
    /// and [`pass`](Self::pass) them then.
    #[inline]
    pub(crate) fn peek(&self) -> Option<EntryHead<'a>> {
        let head = parse_head(self.bytes, self.at, self.max_depth).ok()?;
        head.mark.is_none().then_some(head)
    }

    /// Goes on at this offset, where an entry ends.
    #[inline]
    pub(crate) fn pass(&mut self, end: usize) {
        self.at = end;
    }
}

/// An entry up to its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntryHead<'a> {
    pub(crate) time: Option<EventTime>,
    pub(crate) metadata: Option<&'a [u8]>,
    /// Where the record begins.
    pub(crate) record: usize,
    mark: Option<Mark>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Item<'a>, MsgpackError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        match parse(self.bytes, start, self.max_depth, &mut self.keys) {
            Ok((item, end)) => {
                self.at = end;
                Some(Ok(item))
            }
            Err(Refusal::Bad(reason)) => match skip_within(self.bytes, start, self.max_depth) {
                Ok(end) => {
                    self.at = end;
                    Some(Ok(Item::Bad(BadEntry { bytes: &self.bytes[start..end], reason })))
                }
                Err(error) => self.end(error),
            },
            Err(Refusal::Msgpack(error)) => self.end(error),
        }
    }
}

impl<'a> Entries<'a> {
    fn end(&mut self, error: MsgpackError) -> Option<<Self as Iterator>::Item> {
        self.at = self.bytes.len();
        Some(Err(error))
    }
}

enum Refusal {
    Bad(BadEntryReason),
    Msgpack(MsgpackError),
}

impl From<MsgpackError> for Refusal {
    fn from(error: MsgpackError) -> Self {
        Self::Msgpack(error)
    }
}

#[inline]
fn parse_head(bytes: &[u8], mut at: usize, max_depth: usize) -> Result<EntryHead<'_>, Refusal> {
    let (time, metadata) = match bytes[at..].first_chunk::<{ COMMON_HEAD + 8 }>() {
        // Nearly every entry begins like this.
        Some([0x92, 0xd7, 0x00, time @ ..]) => {
            at += COMMON_HEAD + time.len();
            (Token::Ext(EVENT_TIME, time), None)
        }
        _ => head(bytes, &mut at, max_depth)?,
    };
    let mark = mark_of(time);
    let time = read_time(time).map_err(|_| Refusal::Bad(BadEntryReason::Time))?;
    Ok(EntryHead { time, metadata, record: at, mark })
}

fn parse<'a>(
    bytes: &'a [u8],
    at: usize,
    max_depth: usize,
    keys: &mut LikelyKeys,
) -> Result<(Item<'a>, usize), Refusal> {
    let EntryHead { time, metadata, record: at, mark } = parse_head(bytes, at, max_depth)?;
    let end = keys.skip_map(bytes, at, max_depth)?;
    let record = &bytes[at..end];
    if !matches!(record[0], 0x80..=0x8f | 0xde | 0xdf) {
        return Err(Refusal::Bad(BadEntryReason::Record));
    }
    let item = match mark {
        None => Item::Event(Entry { time, metadata, record }),
        Some(Mark::Start) => Item::Mark(GroupMark::Start(record)),
        Some(Mark::End) => Item::Mark(GroupMark::End),
    };
    Ok((item, end))
}

/// Bytes of an entry before its time, where that is an EventTime and nothing stands beside it.
const COMMON_HEAD: usize = 3;

/// What stands before the record: the time, and metadata.
fn head<'a>(
    bytes: &'a [u8],
    at: &mut usize,
    max_depth: usize,
) -> Result<(Token<'a>, Option<&'a [u8]>), Refusal> {
    if !matches!(read(bytes, at)?, Token::Array(2)) {
        return Err(Refusal::Bad(BadEntryReason::Shape));
    }
    let time = read(bytes, at)?;
    if !matches!(time, Token::Array(2)) {
        return Ok((time, None));
    }
    let time = read(bytes, at)?;
    let start = *at;
    *at = skip_within(bytes, start, max_depth)?;
    Ok((time, Some(&bytes[start..*at])))
}

/// A time that is none, and says what its entry is instead.
#[derive(Debug, Clone, Copy)]
enum Mark {
    Start,
    End,
}

fn mark_of(time: Token<'_>) -> Option<Mark> {
    match time {
        Token::Ext(EVENT_TIME, b"\xff\xff\xff\xff\0\0\0\0") => Some(Mark::Start),
        Token::Ext(EVENT_TIME, b"\xff\xff\xff\xfe\0\0\0\0") => Some(Mark::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"\x92\x01\x81\xa1a\x01";
    const METADATA: &[u8] = b"\x92\x92\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02\x80\x81\xa1b\x02";

    fn walk(bytes: &[u8]) -> Vec<Result<Result<&[u8], BadEntryReason>, MsgpackError>> {
        Entries::new(bytes)
            .map(|item| {
                item.map(|item| match item {
                    Item::Event(entry) => Ok(entry.record),
                    Item::Bad(bad) => Err(bad.reason),
                    Item::Mark(mark) => panic!("{mark:?}"),
                })
            })
            .collect()
    }

    #[test]
    fn both_shapes_read() {
        let bytes = [GOOD, METADATA].concat();
        let entries: Vec<_> = Entries::new(&bytes).filter_map(|item| item.unwrap().event()).collect();
        assert_eq!(entries[0].time, EventTime::new(1, 0));
        assert_eq!(entries[0].metadata, None);
        assert_eq!(entries[1].time, EventTime::new(1, 2));
        assert_eq!(entries[1].metadata, Some(&b"\x80"[..]));
        assert_eq!(entries[1].record, b"\x81\xa1b\x02");
    }

    #[test]
    fn group_marks_are_known_by_their_time() {
        for (head, is_mark) in [
            (&b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x81\xa1m\x01"[..], true),
            (b"\x92\x92\xc7\x08\x00\xff\xff\xff\xff\0\0\0\0\xc0", true),
            (b"\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0", true),
            (b"\x92\xd7\x00\xff\xff\xff\xff\0\0\0\x01", false),
            (b"\x92\xd7\x00\xff\xff\xff\xfd\0\0\0\0", false),
            (b"\x92\xce\xff\xff\xff\xff", false),
        ] {
            let bytes = [head, b"\x81\xa1r\x01"].concat();
            let item = Entries::new(&bytes).next().unwrap().unwrap();
            match item {
                Item::Mark(mark) => assert_eq!((mark, is_mark), (GroupMark::Start(b"\x81\xa1r\x01"), true)),
                item => assert!(item.event().is_some() && !is_mark, "{bytes:x?}"),
            }
        }
        let end = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80";
        assert_eq!(Entries::new(end).next(), Some(Ok(Item::Mark(GroupMark::End))));
        let no_map = b"\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\xc0";
        assert_eq!(walk(no_map), [Ok(Err(BadEntryReason::Record))]);
    }

    #[test]
    fn bad_entries_do_not_take_their_neighbours_with_them() {
        for (bad, reason) in [
            (&b"\x01"[..], BadEntryReason::Shape),
            (b"\x93\x01\x80\x80", BadEntryReason::Shape),
            (b"\x92\xa1x\x80", BadEntryReason::Time),
            (b"\x92\xd7\x00\0\0\0\x01\xff\xff\xff\xff\x80", BadEntryReason::Time),
            (b"\x92\x01\xa1x", BadEntryReason::Record),
            (b"\x92\x01\xc0", BadEntryReason::Record),
            (b"\x92\x92\x92\x01\x80\x80\x80", BadEntryReason::Time),
        ] {
            let bytes = [GOOD, bad, GOOD].concat();
            assert_eq!(walk(&bytes), [Ok(Ok(&GOOD[2..])), Ok(Err(reason)), Ok(Ok(&GOOD[2..]))], "{bad:x?}");
        }
    }

    #[test]
    fn bytes_that_are_no_msgpack_end_the_walk() {
        let bytes = [GOOD, b"\x92\x01\xc1", GOOD].concat();
        assert_eq!(walk(&bytes), [Ok(Ok(&GOOD[2..])), Err(MsgpackError::Reserved { at: 8 })]);
        assert_eq!(walk(&GOOD[..5]), [Err(MsgpackError::Incomplete)]);
        assert_eq!(walk(b""), []);
    }
}
