//! What an output itself keeps in its cursor: attributes, of which each reader passes over those that it does not know.
//!
//! ```text
//! 0  1  kind: 1 counts of throttle filters
//! 1  3  zero
//! 4  4  length of the value
//! 8  …  value; the next attribute follows at once
//! ```

use super::format::array_at;

const HEADER_LENGTH: usize = 8;

/// The counts of the window that `throttle` filters are in.
pub const THROTTLE: u8 = 1;

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
    let mut rest = attributes;
    loop {
        let length = u32::from_le_bytes(array_at(rest, 4)?) as usize;
        let value = rest.get(HEADER_LENGTH..HEADER_LENGTH.checked_add(length)?)?;
        if rest[0] == kind {
            return Some(value);
        }
        rest = &rest[HEADER_LENGTH + length..];
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
        for length in 0..attributes.len() {
            assert_eq!(find_attribute(&attributes[..length], THROTTLE), None, "{length}");
        }
    }
}
