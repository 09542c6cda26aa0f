//! Proofs of knowing a secret.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA512};

/// SHA-512 over the parts, one after the other, in lowercase hexadecimal.
pub(super) fn hex_digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA512);
    for part in parts {
        context.update(part);
    }
    hex(context.finish().as_ref())
}

/// Whether two digests are the same, in a time that does not tell where they differ.
pub(super) fn is_same(left: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(left, right).is_ok()
}

pub(super) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}
