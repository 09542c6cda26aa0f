//! Values made safe for a path.

use aws_lc_rs::digest::{SHA256, digest};

use crate::pipeline::characters::CharacterSet;

/// The most bytes that a value takes in a path.
pub const MAX_PATH_VALUE: usize = 128;

/// What stands for a value that is missing.
const UNKNOWN: &[u8] = b"unknown";

/// `~` and hex digits at the end of a value that was cut.
const CUT_MARK: usize = 1 + 2 * CUT_HASH;

/// Bytes of the hash that keep cut values apart.
const CUT_HASH: usize = 4;

/// A value as a path has it, where its name leaves it all the room that a value can have.
pub fn path_value(value: &[u8], kept: &CharacterSet) -> Vec<u8> {
    let mut out = Vec::new();
    write_path_value(&mut out, Some(value), kept, MAX_PATH_VALUE);
    out
}

/// Appends a value in a form that is one safe part of a file name: at least one and at most `limit` bytes of the set,
/// `_` and, where it was cut, `~`; never a dot first.
///
/// * A character outside of the set becomes `_`; so does each maximal part that is no UTF-8.
/// * A dot in front becomes `_`, so that neither `.`, `..` nor a hidden file arises.
/// * Nothing, or nothing but empty text, becomes `unknown`.
/// * What is longer than `limit` is cut and ends in `~` and 8 hex digits of the SHA-256 of the whole value, so that
///   long values stay apart.
pub(super) fn write_path_value(out: &mut Vec<u8>, value: Option<&[u8]>, kept: &CharacterSet, limit: usize) {
    let value = value.filter(|value| !value.is_empty());
    let start = out.len();
    // Every character is at least one byte of the value, and exactly one of the path.
    let mut characters = value.into_iter().flat_map(<[u8]>::utf8_chunks).flat_map(|chunk| {
        let invalid = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(invalid)
    });
    for character in characters.by_ref().take(limit) {
        let dot_in_front = character == '.' && out.len() == start;
        match u8::try_from(character) {
            Ok(byte) if kept.contains(character) && !dot_in_front => out.push(byte),
            _ => out.push(b'_'),
        }
    }
    match value {
        None => out.extend_from_slice(UNKNOWN),
        Some(value) if characters.next().is_some() => {
            out.truncate(start + limit - CUT_MARK);
            out.push(b'~');
            for byte in &digest(&SHA256, value).as_ref()[..CUT_HASH] {
                for digit in [byte >> 4, byte & 15] {
                    out.push(b"0123456789abcdef"[usize::from(digit)]);
                }
            }
        }
        Some(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(value: &[u8]) -> String {
        let mut out = Vec::new();
        write_path_value(&mut out, Some(value), &CharacterSet::default(), MAX_PATH_VALUE);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hostile_values_stay_one_part_of_a_name() {
        assert_eq!(safe(b"www.example.com"), "www.example.com");
        assert_eq!(safe(b"../../etc/passwd"), "_._.._etc_passwd");
        assert_eq!(safe(b".."), "_.");
        assert_eq!(safe(b"."), "_");
        assert_eq!(safe(b".hidden"), "_hidden");
        assert_eq!(safe(b"/"), "_");
        assert_eq!(safe(b"a\0b\nc\\d~e"), "a_b_c_d_e");
        assert_eq!(safe("日本🚚".as_bytes()), "___");
        assert_eq!(safe(b"a\xffb\xe3\x81"), "a_b_");
        assert_eq!(safe(b""), "unknown");
    }

    #[test]
    fn long_values_are_cut_and_stay_apart() {
        let longest = "a".repeat(MAX_PATH_VALUE);
        assert_eq!(safe(longest.as_bytes()), longest);
        let cut = safe(format!("{longest}a").as_bytes());
        let other = safe(format!("{longest}b").as_bytes());
        assert_eq!(cut.len(), MAX_PATH_VALUE);
        assert_eq!(&cut[..MAX_PATH_VALUE - CUT_MARK], &longest[..MAX_PATH_VALUE - CUT_MARK]);
        assert_ne!(cut, other);
        assert_eq!(cut.as_bytes()[MAX_PATH_VALUE - CUT_MARK], b'~');
        assert_eq!(safe(&vec![b'/'; 1 << 20]).len(), MAX_PATH_VALUE);
        // Counted in characters: these are 384 bytes and no more than 128 of the path.
        assert_eq!(safe("あ".repeat(MAX_PATH_VALUE).as_bytes()), "_".repeat(MAX_PATH_VALUE));
    }
}
