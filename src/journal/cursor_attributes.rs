//! What an output itself keeps in its cursor: attributes, of which each reader passes over those that it does not know.
//!
//! ```text
//! 0  1  kind: 1 counts of throttle filters, 2 replays, 3 the newest segment of which a forward output may have sent something
//! 1  3  zero
//! 4  4  length of the value
//! 8  …  value; the next attribute follows at once
//! ```

use std::ops::Range;

use super::format::array_at;

const HEADER_LENGTH: usize = 8;

/// The counts of the window that `throttle` filters are in.
pub const THROTTLE: u8 = 1;

/// What an operator had delivered again: see `replay/mod.rs`. Part of every saved cursor.
pub const REPLAYS: u8 = 2;

/// The newest segment of which a forward output may have sent something: 8 bytes. Kept where messages can be given up
/// and there is one server.
pub const SENDING: u8 = 3;

/// Appends an attribute.
///
/// # Panics
///
/// Beyond 4 GiB; what outputs keep has limits far below.
pub fn write_attribute(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let length = u32::try_from(value.len()).expect("limits keep attributes below 4 GiB");
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(value);
}

/// The value of the first attribute of a kind.
pub fn find_attribute(attributes: &[u8], kind: u8) -> Option<&[u8]> {
    attributes.get(find(attributes, kind)?)
}

/// Takes the first attribute of a kind out of the others, and gives its value.
pub(super) fn take_attribute(attributes: &mut Vec<u8>, kind: u8) -> Option<Vec<u8>> {
    let value = find(attributes, kind)?;
    let taken: Vec<u8> = attributes.drain(value.start - HEADER_LENGTH..value.end).collect();
    Some(taken[HEADER_LENGTH..].to_vec())
}

/// Where the value of the first attribute of a kind lies.
fn find(attributes: &[u8], kind: u8) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        let length = u32::from_le_bytes(array_at(attributes, at + 4)?) as usize;
        let value = at + HEADER_LENGTH..(at + HEADER_LENGTH).checked_add(length)?;
        attributes.get(value.clone())?;
        if attributes[at] == kind {
            return Some(value);
        }
        at = value.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_among_others_and_cut_ones_are_not() {
        let mut attributes = Vec::new();
        write_attribute(&mut attributes, 200, b"unknown");
        write_attribute(&mut attributes, THROTTLE, b"counts");
        assert_eq!(find_attribute(&attributes, THROTTLE), Some(&b"counts"[..]));
        assert_eq!(find_attribute(&attributes, 200), Some(&b"unknown"[..]));
        assert_eq!(find_attribute(&attributes, 2), None);
        let mut others = attributes.clone();
        assert_eq!(take_attribute(&mut others, THROTTLE), Some(b"counts".to_vec()));
        assert_eq!(take_attribute(&mut others, THROTTLE), None);
        assert_eq!(find_attribute(&others, 200), Some(&b"unknown"[..]));
        for length in 0..attributes.len() {
            assert_eq!(find_attribute(&attributes[..length], THROTTLE), None, "{length}");
        }
    }
}
