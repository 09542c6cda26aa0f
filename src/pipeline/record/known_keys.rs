//! Keys that records had before. One that comes again is compared whole, rather than read, looked up and escaped.

use std::collections::HashMap;

use crate::pipeline::json::write_key;

/// The longest encoded key that is remembered, in bytes: any text of up to 31 bytes in its shortest form.
const LONGEST: usize = 32;

/// How many keys are remembered. A record with others costs what it would without any.
const MAX_KEYS: usize = 512;

/// So many keys that found no place any more have all be forgotten, so that those of now are remembered instead.
const FORGET_AFTER: usize = 4 * MAX_KEYS;

/// A comma, two quotes and a colon more than the name.
pub(super) const LONGEST_JSON: usize = LONGEST - 1 + 4;

/// The number of a remembered key, good until the next record is listed.
pub(super) type KeyId = u16;

/// The keys, and which one came behind which.
#[derive(Debug, Default)]
pub(super) struct KnownKeys {
    keys: Vec<KnownKey>,
    by_encoded: HashMap<[u8; LONGEST], KeyId>,
    /// Which one the last record began with.
    first: KeyId,
    /// Counts records.
    record: u64,
    /// Keys without a place.
    missed: usize,
}

#[derive(Debug)]
struct KnownKey {
    /// The encoded key, padded with zeros.
    words: [u128; 2],
    /// Which bits of the words are the key's.
    masks: [u128; 2],
    length: u8,
    json_length: u8,
    /// Which one came behind it the last time.
    next: KeyId,
    /// The last record that had it.
    record: u64,
    json: [u8; LONGEST_JSON],
}

/// A key that was found at some place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) id: KeyId,
    /// Of the encoded key, in bytes.
    pub(super) length: usize,
    /// Whether the record had it before.
    pub(super) is_double: bool,
}

impl KnownKeys {
    /// Numbers of keys that were given out are void.
    pub(super) fn begin_record(&mut self) {
        self.record += 1;
        if self.missed >= FORGET_AFTER {
            *self = Self { record: self.record, ..Self::default() };
        }
    }

    /// The key that a block begins with, behind the one of this number or as the first of its record. `None` of one that
    /// is not remembered, and then of no other of that name in the same record.
    #[inline]
    pub(super) fn find(&mut self, block: &[u8; LONGEST], before: Option<KeyId>) -> Option<Found> {
        let expected = match before {
            Some(before) => self.keys.get(usize::from(before))?.next,
            None => self.first,
        };
        let id = match self.keys.get(usize::from(expected)) {
            Some(key) if key.is_in(block) => expected,
            _ => self.look_up(block, before)?,
        };
        let key = self.keys.get_mut(usize::from(id))?;
        let is_double = key.record == self.record;
        key.record = self.record;
        Some(Found { id, length: usize::from(key.length), is_double })
    }

    /// The key as the name of a member of an object that is not the first one, with its colon: so many bytes of a block.
    #[inline]
    pub(super) fn json(&self, id: KeyId) -> Option<(&[u8; LONGEST_JSON], usize)> {
        let key = self.keys.get(usize::from(id))?;
        Some((&key.json, usize::from(key.json_length)))
    }

    #[cold]
    #[inline(never)]
    fn look_up(&mut self, block: &[u8; LONGEST], before: Option<KeyId>) -> Option<KeyId> {
        let marker @ 0xa0..=0xbf = block[0] else { return None };
        let length = 1 + usize::from(marker & 0x1f);
        let mut encoded = [0; LONGEST];
        encoded[..length].copy_from_slice(&block[..length]);
        let id = match self.by_encoded.get(&encoded) {
            Some(id) => *id,
            None => self.remember(encoded, length)?,
        };
        match before {
            Some(before) => self.keys.get_mut(usize::from(before))?.next = id,
            None => self.first = id,
        }
        Some(id)
    }

    fn remember(&mut self, encoded: [u8; LONGEST], length: usize) -> Option<KeyId> {
        if self.keys.len() == MAX_KEYS {
            self.missed += 1;
            return None;
        }
        let id = self.keys.len() as KeyId;
        self.keys.push(KnownKey::new(&encoded, length)?);
        self.by_encoded.insert(encoded, id);
        Some(id)
    }
}

impl KnownKey {
    /// `None` where JSON writes the name in another way.
    fn new(encoded: &[u8; LONGEST], length: usize) -> Option<Self> {
        let mut text = vec![b','];
        write_key(&mut text, &encoded[..length]);
        text.push(b':');
        let name = &encoded[1..length];
        if text.get(2..2 + name.len()) != Some(name) || text.len() != name.len() + 4 {
            return None;
        }
        let mut json = [0; LONGEST_JSON];
        json.get_mut(..text.len())?.copy_from_slice(&text);
        let mut mask = [0; LONGEST];
        mask[..length].fill(0xff);
        Some(Self {
            words: words(encoded),
            masks: words(&mask),
            length: length as u8,
            json_length: text.len() as u8,
            next: 0,
            record: 0,
            json,
        })
    }

    #[inline]
    fn is_in(&self, block: &[u8; LONGEST]) -> bool {
        let ([low, high], [known_low, known_high], [low_mask, high_mask]) =
            (words(block), self.words, self.masks);
        ((low ^ known_low) & low_mask) | ((high ^ known_high) & high_mask) == 0
    }
}

#[inline]
fn words(block: &[u8; LONGEST]) -> [u128; 2] {
    match block.as_chunks().0 {
        [low, high] => [u128::from_le_bytes(*low), u128::from_le_bytes(*high)],
        _ => [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::write_str;

    /// An encoded key, with bytes behind it.
    fn key(name: &str) -> [u8; LONGEST] {
        let mut key = Vec::new();
        write_str(&mut key, name.as_bytes());
        block(&key)
    }

    fn block(bytes: &[u8]) -> [u8; LONGEST] {
        *[bytes, &[b'x'; LONGEST]].concat().first_chunk().unwrap()
    }

    fn json(keys: &KnownKeys, found: Found) -> String {
        let (text, length) = keys.json(found.id).unwrap();
        String::from_utf8(text[..length].to_vec()).unwrap()
    }

    #[test]
    fn keys_of_every_length_are_told_apart_in_any_order() {
        let mut keys = KnownKeys::default();
        let names: Vec<String> = (0..LONGEST).map(|length| "x".repeat(length)).collect();
        for round in 0..3 {
            keys.begin_record();
            let mut before = None;
            for at in 0..names.len() {
                let name = &names[if round == 1 { names.len() - 1 - at } else { at }];
                let found = keys.find(&key(name), before).unwrap();
                assert_eq!(found.length, 1 + name.len());
                assert!(!found.is_double);
                assert_eq!(json(&keys, found), format!(",\"{name}\":"));
                before = Some(found.id);
            }
            assert!(keys.find(&key("x"), before).unwrap().is_double);
        }
        assert_eq!(keys.keys.len(), names.len());
    }

    #[test]
    fn what_json_writes_in_another_way_or_is_no_short_text_is_not_remembered() {
        let mut keys = KnownKeys::default();
        keys.begin_record();
        for name in ["a\"b", "a\\", "\n", &"x".repeat(LONGEST)] {
            assert!(keys.find(&key(name), None).is_none(), "{name}");
        }
        assert!(keys.find(&block(b"\xa1\xff"), None).is_none());
        for marker in [0x01, 0x81, 0x91, 0xc0, 0xc4, 0xd9] {
            assert!(keys.find(&[marker; LONGEST], None).is_none());
        }
        let found = keys.find(&key("日本語"), None).unwrap();
        assert_eq!(json(&keys, found), ",\"日本語\":");
    }

    #[test]
    fn the_number_of_keys_has_a_limit_and_those_of_now_get_a_place_in_the_end() {
        let mut keys = KnownKeys::default();
        let mut is_known = |name: &str| {
            keys.begin_record();
            keys.find(&key(name), None).is_some()
        };
        for number in 0..MAX_KEYS {
            assert!(is_known(&format!("key{number}")));
        }
        for _ in 0..FORGET_AFTER {
            assert!(!is_known("another"));
        }
        assert!(is_known("another"));
        assert!(is_known("key0"));
    }
}
