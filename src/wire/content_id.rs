//! Chunk ids that are a hash of the content, so that equal content has the same id.
//!
//! Fluent Bit makes them: the first 16 bytes of SHA-512 over the entries as they are before compression, in base64, and
//! before version 2 in lowercase hexadecimal. Fluentd and hikyaku draw or derive ids that are their chunk's own.

use std::io::Read;

use aws_lc_rs::digest::{Context, SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::inflating::Inflating;
use crate::chunk::Encoding;

/// Entries that inflate to more bytes than this are not hashed: it is done where others wait. Fluent Bit's chunks have
/// 2 MB.
pub const MAX_HASHED: u64 = 8 * 1024 * 1024;

const HASH_LENGTH: usize = 16;
const BASE64_LENGTH: usize = 24;
const HEX_LENGTH: usize = 2 * HASH_LENGTH;
const HASHED_AT_ONCE: usize = 16 * 1024;

/// Whether an id proves to be a hash of the entries that it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentHash {
    Proven,
    /// It is something else.
    Refuted,
    /// The entries are past [`MAX_HASHED`].
    TooLarge,
}

/// Whether an id has the form of a hash, which is cheap to tell and proves nothing. Where an input gives tags of its own,
/// the sent tag and a zero byte stand before it.
pub fn looks_like_content_hash(id: &[u8]) -> bool {
    hash_in(id).is_some()
}

/// Whether `id` is the hash of `entries`, which are encoded like this.
pub fn is_content_hash(id: &[u8], encoding: Encoding, entries: &[u8]) -> ContentHash {
    let Some(expected) = hash_in(id) else { return ContentHash::Refuted };
    let mut source = Inflating::new(encoding, entries).take(MAX_HASHED + 1);
    let mut context = Context::new(&SHA512);
    let mut window = [0; HASHED_AT_ONCE];
    let mut length = 0;
    loop {
        match source.read(&mut window) {
            Ok(0) => break,
            Ok(count) => {
                length += count as u64;
                context.update(&window[..count]);
            }
            // Inputs take nothing that does not inflate.
            Err(_) => return ContentHash::Refuted,
        }
    }
    if length > MAX_HASHED {
        return ContentHash::TooLarge;
    }
    match context.finish().as_ref().starts_with(&expected) {
        true => ContentHash::Proven,
        false => ContentHash::Refuted,
    }
}

/// The hash that an id may be.
fn hash_in(id: &[u8]) -> Option<[u8; HASH_LENGTH]> {
    let of_length = |length: usize| {
        let start = id.len().checked_sub(length)?;
        (start == 0 || id[start - 1] == 0).then_some(&id[start..])
    };
    of_length(BASE64_LENGTH).and_then(from_base64).or_else(|| of_length(HEX_LENGTH).and_then(from_hex))
}

fn from_base64(text: &[u8]) -> Option<[u8; HASH_LENGTH]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn from_hex(text: &[u8]) -> Option<[u8; HASH_LENGTH]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = [0; HASH_LENGTH];
    for (out, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
        *out = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const ENTRIES: &[u8] = b"\x92\x01\x81\xa1a\x01";

    fn digest(entries: &[u8]) -> Vec<u8> {
        aws_lc_rs::digest::digest(&SHA512, entries).as_ref()[..HASH_LENGTH].to_vec()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn an_id_is_a_hash_of_the_content_before_compression_or_something_else() {
        use ContentHash::{Proven, Refuted};
        let base64 = STANDARD.encode(digest(ENTRIES)).into_bytes();
        let hex: Vec<u8> =
            digest(ENTRIES).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
        let tagged = [b"sent.tag\0", &base64[..]].concat();
        let own = STANDARD.encode([7; HASH_LENGTH]).into_bytes();
        let with_newline = [&base64[..], b"\n"].concat();
        for (id, looks_like_it, expected) in [
            (&base64, true, Proven),
            (&hex, true, Proven),
            (&tagged, true, Proven),
            (&own, true, Refuted),
            (&with_newline, false, Refuted),
            (&hex.to_ascii_uppercase(), false, Refuted),
            (&b"hikyaku-1".to_vec(), false, Refuted),
            (&Vec::new(), false, Refuted),
        ] {
            assert_eq!(looks_like_content_hash(id), looks_like_it, "{}", id.escape_ascii());
            assert_eq!(is_content_hash(id, Encoding::Plain, ENTRIES), expected, "{}", id.escape_ascii());
            assert_eq!(is_content_hash(id, Encoding::Gzip, &gzip(ENTRIES)), expected);
        }
        assert_eq!(is_content_hash(&base64, Encoding::Gzip, b"no gzip"), Refuted);
    }

    #[test]
    fn content_up_to_the_limit_is_hashed() {
        let largest = vec![0xc0; MAX_HASHED as usize];
        let id = |entries: &[u8]| STANDARD.encode(digest(entries)).into_bytes();
        assert_eq!(is_content_hash(&id(&largest), Encoding::Gzip, &gzip(&largest)), ContentHash::Proven);
        let larger = [&largest[..], b"\xc0"].concat();
        assert_eq!(is_content_hash(&id(&larger), Encoding::Gzip, &gzip(&larger)), ContentHash::TooLarge);
        assert_eq!(is_content_hash(&id(&larger), Encoding::Plain, &larger), ContentHash::TooLarge);
    }
}
