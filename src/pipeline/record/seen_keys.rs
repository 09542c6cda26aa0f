//! Finding the key that comes twice.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Field;

/// The names of a record so far, to find the one that comes twice.
///
/// Nearly every record has a few dozen different names. A filter of 256 bits rules out most comparisons there;
/// large records use a table, so that a peer can't make the time grow with the square of their size.
#[derive(Default)]
pub(super) struct SeenKeys<'a> {
    bits: [u64; 4],
    table: HashMap<&'a [u8], usize>,
}

/// From so many fields on, names are found by a table.
const TABLE_FROM: usize = 128;

impl<'a> SeenKeys<'a> {
    /// The field that already has this name, if one has.
    #[inline]
    pub(super) fn insert(&mut self, name: &'a [u8], fields: &[Field], record: &'a [u8]) -> Option<usize> {
        if fields.len() >= TABLE_FROM {
            return self.insert_into_table(name, fields, record);
        }
        let middle = name.get(name.len() / 2).copied().unwrap_or_default();
        let last = name.last().copied().unwrap_or_default();
        let first = name.first().copied().unwrap_or_default();
        let hash = (name.len() as u32)
            .wrapping_mul(0x9e37_79b1)
            .wrapping_add(u32::from_be_bytes([0, first, middle, last]))
            .wrapping_mul(0x85eb_ca6b)
            >> 24;
        let (word, bit) = (hash as usize / 64, 1 << (hash % 64));
        if self.bits[word] & bit == 0 {
            self.bits[word] |= bit;
            return None;
        }
        position(name, fields, record)
    }

    #[cold]
    #[inline(never)]
    fn insert_into_table(&mut self, name: &'a [u8], fields: &[Field], record: &'a [u8]) -> Option<usize> {
        if self.table.is_empty() {
            let named = |(at, field): (usize, &Field)| Some((field.name_in(record)?, at));
            self.table = fields.iter().enumerate().filter_map(named).collect();
        }
        match self.table.entry(name) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(fields.len());
                None
            }
        }
    }
}

#[cold]
#[inline(never)]
fn position(name: &[u8], fields: &[Field], record: &[u8]) -> Option<usize> {
    fields.iter().position(|field| field.name_in(record) == Some(name))
}
