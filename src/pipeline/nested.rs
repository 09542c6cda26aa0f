//! Fields inside the values of a record: reading, and rebuilding one value around a change.

use std::num::NonZeroU8;

use super::record::Fate;
use crate::wire::msgpack::{MAX_DEPTH, Token, read, skip, skip_within, write_map, write_str};

/// The encoded value to which `keys` lead inside the encoded `value`: the value itself where there are none, `None`
/// where a key is missing or something on the way is no map. Of a key that a map holds twice the last one counts,
/// as in Ruby.
pub(super) fn descend<'a>(value: &'a [u8], keys: &[String]) -> Option<&'a [u8]> {
    keys.iter().try_fold(value, |value, key| lookup(value, key.as_bytes()))
}

fn lookup<'a>(value: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    for entry in MapEntries::of(value)? {
        if entry.name == Some(key) {
            found = Some(entry.value);
        }
    }
    found
}

/// Walks over the pairs of an encoded map.
#[derive(Debug, Clone)]
pub(super) struct MapEntries<'a> {
    bytes: &'a [u8],
    at: usize,
    remaining: u32,
}

/// One pair of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct MapEntry<'a> {
    /// The encoded key.
    pub(super) key: &'a [u8],
    /// The key's bytes, if it is text.
    pub(super) name: Option<&'a [u8]>,
    /// The encoded value.
    pub(super) value: &'a [u8],
}

impl<'a> MapEntries<'a> {
    /// `None` where the value is no map.
    pub(super) fn of(value: &'a [u8]) -> Option<Self> {
        let mut at = 0;
        match read(value, &mut at) {
            Ok(Token::Map(remaining)) => Some(Self { bytes: value, at, remaining }),
            _ => None,
        }
    }

    /// Pairs without the head of their map.
    pub(super) fn following(bytes: &'a [u8], remaining: u32) -> Self {
        Self { bytes, at: 0, remaining }
    }

    /// Where the next pair begins.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// How many pairs are still to come.
    pub(super) fn remaining(&self) -> u32 {
        self.remaining
    }
}

/// Where one pair of a map lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct PairSpan {
    /// Where the encoded key begins.
    pub(super) start: usize,
    /// How many bytes of the key are its head, if it is text: what follows is the name.
    pub(super) name_offset: Option<NonZeroU8>,
    /// Where the key ends and the encoded value begins.
    pub(super) middle: usize,
    pub(super) end: usize,
}

/// The pair that begins at `start`; `None` where it is not all there, or no msgpack.
#[inline]
pub(super) fn pair_at(bytes: &[u8], start: usize) -> Option<PairSpan> {
    const ONE: Option<NonZeroU8> = NonZeroU8::new(1);
    let (name_offset, middle) = match *bytes.get(start)? {
        marker @ 0xa0..=0xbf => (ONE, start + 1 + usize::from(marker & 0x1f)),
        _ => unusual_key(bytes, start)?,
    };
    // Where the name reaches past the end, no value begins there.
    let end = value_end(bytes, middle)?;
    Some(PairSpan { start, name_offset, middle, end })
}

/// Where the value of a map that begins at `start` ends; `None` where it is not all there, or no msgpack.
#[inline]
pub(super) fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    let end = match *bytes.get(start)? {
        marker @ 0xa0..=0xbf => start + 1 + usize::from(marker & 0x1f),
        0xd9 => start + 2 + usize::from(*bytes.get(start + 1)?),
        _ => skip_within(bytes, start, MAX_DEPTH - 1).ok()?,
    };
    (end <= bytes.len()).then_some(end)
}

/// The name's offset, if the key is text, and the end of the key.
#[inline(never)]
fn unusual_key(bytes: &[u8], start: usize) -> Option<(Option<NonZeroU8>, usize)> {
    let middle = skip(bytes, start).ok()?;
    let key = &bytes[start..middle];
    Some((as_text(key).and_then(|name| NonZeroU8::new((key.len() - name.len()) as u8)), middle))
}

impl<'a> Iterator for MapEntries<'a> {
    /// Ends where the bytes are no msgpack.
    type Item = MapEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        let PairSpan { start, name_offset, middle, end } = pair_at(self.bytes, self.at)?;
        self.at = end;
        let key = &self.bytes[start..middle];
        let name = name_offset.map(|offset| &key[usize::from(offset.get())..]);
        Some(MapEntry { key, name, value: &self.bytes[middle..end] })
    }
}

/// The bytes of a whole encoded `str` or `bin`.
#[inline]
pub(super) fn as_text(value: &[u8]) -> Option<&[u8]> {
    match value {
        [0xa0..=0xbf, text @ ..] | [0xd9, _, text @ ..] => Some(text),
        [0xc4..=0xc6 | 0xda | 0xdb, ..] => read(value, &mut 0).ok()?.as_bytes(),
        _ => None,
    }
}

/// Whether a field at `keys` inside `value` is there or could be added: the way leads through maps, as far as it goes.
pub(super) fn leads_through_maps(value: &[u8], keys: &[String]) -> bool {
    let mut value = value;
    for key in keys {
        if MapEntries::of(value).is_none() {
            return false;
        }
        match lookup(value, key.as_bytes()) {
            Some(inner) => value = inner,
            None => return true,
        }
    }
    true
}

/// Appends `old` with `value` at `keys`; maps are made on the way, also in place of what is no map.
pub(super) fn set(out: &mut Vec<u8>, old: Option<&[u8]>, keys: &[String], value: &[u8]) {
    let Some((key, inner)) = keys.split_first() else {
        out.extend_from_slice(value);
        return;
    };
    let key = key.as_bytes();
    let entries = || old.and_then(MapEntries::of).into_iter().flatten();
    let last = entries().enumerate().filter(|(_, entry)| entry.name == Some(key)).last();
    let count = entries().count();
    write_map(out, (count + usize::from(last.is_none())) as u32);
    for (at, entry) in entries().enumerate() {
        out.extend_from_slice(entry.key);
        match last {
            Some((last, _)) if at == last => set(out, Some(entry.value), inner, value),
            _ => out.extend_from_slice(entry.value),
        }
    }
    if last.is_none() {
        write_str(out, key);
        set(out, None, inner, value);
    }
}

/// Rewrites what is at `keys` inside `old`, each of several values of one key: appends `old` as `rewrite` changes it, and
/// says whether it did. Nothing of what was appended counts unless it is [`Fate::Replaced`].
pub(super) fn rewrite(
    out: &mut Vec<u8>,
    old: &[u8],
    keys: &[String],
    rewrite_value: &mut impl FnMut(&[u8], &mut Vec<u8>) -> Fate,
) -> Fate {
    let Some((key, inner)) = keys.split_first() else { return rewrite_value(old, out) };
    let Some(entries) = MapEntries::of(old) else { return Fate::Stays };
    if !entries.clone().any(|entry| entry.name == Some(key.as_bytes())) {
        return Fate::Stays;
    }
    // The head depends on how many stay, so it is put in front at the end.
    let start = out.len();
    let (mut count, mut changed) = (0, false);
    for entry in entries {
        let before = out.len();
        out.extend_from_slice(entry.key);
        let value = out.len();
        let fate = match entry.name == Some(key.as_bytes()) {
            true => rewrite(out, entry.value, inner, rewrite_value),
            false => Fate::Stays,
        };
        match fate {
            Fate::Stays => {
                out.truncate(value);
                out.extend_from_slice(entry.value);
            }
            Fate::Replaced => changed = true,
            Fate::Goes => {
                out.truncate(before);
                changed = true;
                continue;
            }
        }
        count += 1;
    }
    if !changed {
        return Fate::Stays;
    }
    let end = out.len();
    write_map(out, count);
    let head = out.len() - end;
    out[start..].rotate_right(head);
    Fate::Replaced
}

#[cfg(test)]
mod tests {
    use super::super::field_path::FieldPath;
    use super::*;

    #[test]
    fn lookups_descend_through_maps_only() {
        let path = |text: &str| FieldPath::parse(text).unwrap().keys().to_vec();
        // {"a": {"b": 1, "b": 2, 3: 4}, "c": [5]}
        let value = b"\x82\xa1a\x83\xa1b\x01\xa1b\x02\x03\x04\xa1c\x91\x05";
        assert_eq!(descend(value, &path("a.b")), Some(&b"\x02"[..]));
        assert_eq!(descend(value, &path("c")), Some(&b"\x91\x05"[..]));
        for missing in ["x", "a.x", "a.b.c", "c.0", "a.3"] {
            assert_eq!(descend(value, &path(missing)), None, "{missing}");
        }
    }
}
