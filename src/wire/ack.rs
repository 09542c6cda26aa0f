//! Acknowledgements: `{"ack": chunk}`.

use super::msgpack::{write_map, write_str};
use super::options::ChunkId;

/// The acknowledgement of a chunk, its id byte for byte as the sender wrote it.
///
/// Each must go out in one write of its own: Fluent Bit reads once and does not put parts together.
pub fn encode_ack(chunk: &ChunkId) -> Vec<u8> {
    let mut out = Vec::with_capacity(5 + chunk.encoded.len());
    write_map(&mut out, 1);
    write_str(&mut out, b"ack");
    out.extend_from_slice(&chunk.encoded);
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn the_id_goes_back_in_the_form_in_which_it_came() {
        for encoded in [&b"\xa3id\n"[..], b"\xc4\x02\xff\x00", b"\xd9\x02id", b"\xdb\x00\x00\x00\x00"] {
            let chunk = ChunkId { id: Bytes::new(), encoded: Bytes::from_static(encoded) };
            assert_eq!(encode_ack(&chunk), [b"\x81\xa3ack", encoded].concat());
        }
    }
}
