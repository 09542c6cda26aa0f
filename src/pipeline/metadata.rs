//! Fluent Bit's metadata as a field of the record: an event's own, and what its group has in common.

use std::collections::HashSet;

use super::nested::{MapEntries, MapEntry};
use crate::wire::entry::GroupMark;
use crate::wire::msgpack::write_map;

/// Own metadata of up to so many keys is searched from its start for each key of the group.
const SEARCHED: u32 = 16;

/// The group that is open at some place of a run of entries. A run begins without one; whoever reads a run in pieces
/// carries it from piece to piece.
#[derive(Debug, Clone, Default)]
pub struct OpenGroup {
    /// What the events of the group have in common, an encoded map; nothing where no group is open.
    record: Vec<u8>,
}

impl OpenGroup {
    /// Opens or closes.
    pub fn apply(&mut self, mark: GroupMark<'_>) {
        self.record.clear();
        if let GroupMark::Start(record) = mark {
            self.record.extend_from_slice(record);
        }
    }
}

/// Puts metadata together; keeps its memory from event to event.
#[derive(Debug, Default)]
pub(super) struct MetadataMerger {
    merged: Vec<u8>,
}

impl MetadataMerger {
    /// A map of an event's own metadata and of its group's, of which the event's own keys win. `None` where both are
    /// empty or no maps.
    pub(super) fn merge<'s>(&'s mut self, own: Option<&'s [u8]>, group: &'s OpenGroup) -> Option<&'s [u8]> {
        let own = own.filter(|own| is_filled(own));
        let group = Some(&group.record[..]).filter(|group| is_filled(group));
        let (Some(own), Some(group)) = (own, group) else { return own.or(group) };
        let own_pairs = MapEntries::of(own)?;
        let known: Option<HashSet<_>> =
            (own_pairs.remaining() > SEARCHED).then(|| own_pairs.clone().map(key).collect());
        let is_own = |pair: &MapEntry<'_>| match &known {
            Some(known) => known.contains(&key(*pair)),
            None => own_pairs.clone().any(|own| key(own) == key(*pair)),
        };
        let common = || MapEntries::of(group).into_iter().flatten().filter(|pair| !is_own(pair));
        self.merged.clear();
        write_map(&mut self.merged, own_pairs.remaining().saturating_add(common().count() as u32));
        self.merged.extend_from_slice(&own[own_pairs.offset()..]);
        for pair in common() {
            self.merged.extend_from_slice(pair.key);
            self.merged.extend_from_slice(pair.value);
        }
        Some(&self.merged)
    }
}

fn is_filled(map: &[u8]) -> bool {
    MapEntries::of(map).is_some_and(|pairs| pairs.remaining() > 0)
}

/// What two keys are compared by: text by its bytes, whatever its form.
fn key<'a>(pair: MapEntry<'a>) -> (bool, &'a [u8]) {
    (pair.name.is_some(), pair.name.unwrap_or(pair.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::json::write_value;
    use crate::wire::msgpack::{write_str, write_u64};

    fn merged(own: Option<&[u8]>, group: Option<&[u8]>) -> Option<String> {
        let mut open = OpenGroup::default();
        if let Some(record) = group {
            open.apply(GroupMark::Start(record));
        }
        let mut merger = MetadataMerger::default();
        merger.merge(own, &open).map(|map| {
            let mut text = Vec::new();
            write_value(&mut text, map);
            String::from_utf8(text).unwrap()
        })
    }

    #[test]
    fn own_keys_win_and_empty_maps_are_nothing() {
        const A: &[u8] = b"\x81\xa1a\x01";
        const B: &[u8] = b"\x82\xa1a\x02\xa1b\x03";
        for (own, group, expected) in [
            (None, None, None),
            (Some(&b"\x80"[..]), Some(&b"\x80"[..]), None),
            (Some(b"\xc0"), None, None),
            (Some(A), None, Some(r#"{"a":1}"#)),
            (None, Some(B), Some(r#"{"a":2,"b":3}"#)),
            (Some(b"\x80"), Some(B), Some(r#"{"a":2,"b":3}"#)),
            (Some(A), Some(B), Some(r#"{"a":1,"b":3}"#)),
            (Some(B), Some(A), Some(r#"{"a":2,"b":3}"#)),
            (Some(b"\x81\xd9\x01a\x01"), Some(b"\x81\xa1a\x02"), Some(r#"{"a":1}"#)),
        ] {
            assert_eq!(merged(own, group).as_deref(), expected, "{own:x?} {group:x?}");
        }
    }

    #[test]
    fn a_group_ends_with_its_mark_or_the_next_one() {
        let mut open = OpenGroup::default();
        open.apply(GroupMark::Start(b"\x81\xa1a\x01"));
        open.apply(GroupMark::Start(b"\x81\xa1b\x01"));
        assert_eq!(MetadataMerger::default().merge(None, &open), Some(&b"\x81\xa1b\x01"[..]));
        open.apply(GroupMark::End);
        assert_eq!(MetadataMerger::default().merge(None, &open), None);
    }

    #[test]
    fn many_keys_merge_as_few_do() {
        let map = |keys: std::ops::Range<u64>| {
            let mut map = Vec::new();
            write_map(&mut map, (keys.end - keys.start) as u32);
            for number in keys {
                write_str(&mut map, number.to_string().as_bytes());
                write_u64(&mut map, number);
            }
            map
        };
        for count in [u64::from(SEARCHED), u64::from(SEARCHED) + 1, 1000] {
            let mut open = OpenGroup::default();
            open.apply(GroupMark::Start(&map(1..count + 2)));
            let mut merger = MetadataMerger::default();
            let merged = merger.merge(Some(&map(0..count)), &open).unwrap().to_vec();
            assert_eq!(merged, map(0..count + 2), "{count}");
        }
    }
}
