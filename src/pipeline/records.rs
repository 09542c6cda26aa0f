//! A run of entries, of which each record is walked over once.

use super::record::RecordBuffer;
use crate::wire::entry::{Entries, Entry, Item};
use crate::wire::msgpack::MsgpackError;

/// As [`Entries`], with the fields of each event listed on the way.
#[derive(Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    entries: Entries<'a>,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, entries: Entries::new(bytes) }
    }

    /// The next item. Where it is an event, its fields are [listed](RecordBuffer::listed).
    #[inline]
    pub(super) fn next(&mut self, buffer: &mut RecordBuffer) -> Option<Result<Item<'a>, MsgpackError>> {
        if let Some(head) = self.entries.peek()
            && let Some(length) = buffer.list(&self.bytes[head.record..])
        {
            let record = &self.bytes[head.record..head.record + length];
            self.entries.pass(head.record + length);
            return Some(Ok(Item::Event(Entry { time: head.time, metadata: head.metadata, record })));
        }
        // Whatever is no event.
        let item = self.entries.next()?;
        if let Ok(Item::Event(entry)) = item {
            buffer.list(entry.record);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Well-formed entries, marks, values that are none, and bytes that are no msgpack.
    fn any_part() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"\x92\x01\x82\xa1a\x01\xa1b\x92\x01\xa1x".to_vec()),
            Just(b"\x92\x92\xd7\x00\0\0\0\x01\0\0\0\x02\x81\xa1m\x01\x81\xa1b\x02".to_vec()),
            Just(b"\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x81\xa1r\x01".to_vec()),
            Just(b"\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80".to_vec()),
            Just(b"\x92\x01\x80".to_vec()),
            Just(b"\x92\x01\xa1x".to_vec()),
            Just(b"\x93\x01\x80\x80".to_vec()),
            Just([b"\x92\x01\x81\xa1a".as_slice(), &[0x91; 127], b"\x01"].concat()),
            Just([b"\x92\x01\x81\xa1a".as_slice(), &[0x91; 128], b"\x01"].concat()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ]
    }

    proptest! {
        #[test]
        fn the_same_items_come_as_without_lists(parts in proptest::collection::vec(any_part(), 0..8), cut in 0usize..40) {
            let mut bytes = parts.concat();
            bytes.truncate(bytes.len().saturating_sub(cut.saturating_sub(20)));
            let mut buffer = RecordBuffer::default();
            let mut records = Records::new(&bytes);
            for item in Entries::new(&bytes) {
                prop_assert_eq!(records.next(&mut buffer), Some(item));
                if let Ok(Item::Event(entry)) = item {
                    let mut listed = Vec::new();
                    buffer.listed(entry.record).fields().write(&mut listed);
                    let mut opened = Vec::new();
                    RecordBuffer::default().open(entry.record).fields().write(&mut opened);
                    prop_assert_eq!(listed, opened);
                }
            }
            prop_assert_eq!(records.next(&mut buffer), None);
        }
    }
}
