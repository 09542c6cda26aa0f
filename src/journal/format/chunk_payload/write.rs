//! Writing it.

use super::{
    ACKNOWLEDGED, ALTERNATIVE_NAME, CHUNK_ID, FINGERPRINT, FIXED_LENGTH, FLAG_BAD_ENTRIES, FLAG_HANDED_OVER,
    FLAG_METADATA, FLAG_REFUSED, GZIP, HANDED_OVER, HOST_NAME, INPUT, PACKED_LZ4, PACKED_ZSTD, PADDING,
    PLAIN, REFUSAL, SENDER, SOURCE_ADDRESS, SUBJECT, TAG, USER, ZSTD,
};
use crate::chunk::{Chunk, Encoding};
use crate::journal::format::packed_entries::{PackedEntries, Packing};

/// Three bytes of length.
const MAX_ATTRIBUTE_LENGTH: usize = (1 << 24) - 1;

/// Length of what [`write_chunk_head`] appends and of what [`kept_entries`] are.
pub fn chunk_payload_length(chunk: &Chunk, packed: Option<&PackedEntries>) -> u64 {
    let mut attributes = Vec::with_capacity(256);
    write_attributes(&mut attributes, chunk);
    (FIXED_LENGTH + attributes.len() + kept_entries(chunk, packed).len()) as u64
}

/// What stands behind the head of a payload: the entries, or these in their place where they are packed.
pub fn kept_entries<'a>(chunk: &'a Chunk, packed: Option<&'a PackedEntries>) -> &'a [u8] {
    packed.map_or(&chunk.entries, PackedEntries::bytes)
}

/// Appends the payload for a chunk up to its [entries](kept_entries).
pub fn write_chunk_head(out: &mut Vec<u8>, chunk: &Chunk, packed: Option<&PackedEntries>) {
    write_padded_head(out, chunk, packed, 0);
}

/// The least bytes above 0 that a head can be longer by.
pub const LEAST_PADDING: usize = 4;

/// As [`write_chunk_head`], longer by so many bytes, which are 0 or at least [`LEAST_PADDING`].
pub fn write_padded_head(out: &mut Vec<u8>, chunk: &Chunk, packed: Option<&PackedEntries>, padding: usize) {
    out.extend_from_slice(&chunk.received_at.unix_nanoseconds().to_le_bytes());
    out.extend_from_slice(&chunk.entry_count.to_le_bytes());
    out.push(match (packed.map(PackedEntries::packing), chunk.encoding) {
        (Some(Packing::Lz4), _) => PACKED_LZ4,
        (Some(Packing::Zstd), _) => PACKED_ZSTD,
        (None, Encoding::Plain) => PLAIN,
        (None, Encoding::Gzip) => GZIP,
        (None, Encoding::Zstd) => ZSTD,
    });
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.push(
        flag(chunk.has_bad_entries, FLAG_BAD_ENTRIES)
            | flag(chunk.has_metadata, FLAG_METADATA)
            | flag(chunk.refusal.is_some(), FLAG_REFUSED)
            | flag(chunk.handed_over.is_some(), FLAG_HANDED_OVER),
    );
    out.extend_from_slice(&[0; 6]);
    let start = out.len();

    write_attributes(out, chunk);
    if let Some(zeros) = padding.checked_sub(LEAST_PADDING) {
        out.push(PADDING);
        out.extend_from_slice(&(zeros as u32).to_le_bytes()[..3]);
        out.resize(out.len() + zeros, 0);
    }
    let length = (out.len() - start) as u32;
    out[start - 4..start].copy_from_slice(&length.to_le_bytes());
}

fn write_attributes(out: &mut Vec<u8>, chunk: &Chunk) {
    write_attribute(out, TAG, &chunk.tag);
    write_attribute(out, SENDER, chunk.sender.identity.as_bytes());
    if let Some(id) = &chunk.id {
        write_attribute(out, CHUNK_ID, id);
    }
    write_attribute(out, INPUT, chunk.input.as_bytes());
    if let Some(address) = chunk.sender.address {
        write_attribute(out, SOURCE_ADDRESS, address.to_string().as_bytes());
    }
    if let Some(certificate) = &chunk.sender.certificate {
        write_attribute(out, SUBJECT, certificate.subject.as_bytes());
        for name in &certificate.alternative_names {
            write_attribute(out, ALTERNATIVE_NAME, name.as_bytes());
        }
        write_attribute(out, FINGERPRINT, certificate.fingerprint.as_bytes());
    }
    if let Some(name) = &chunk.sender.host_name {
        write_attribute(out, HOST_NAME, name.as_bytes());
    }
    if let Some(user) = &chunk.sender.user {
        write_attribute(out, USER, user.as_bytes());
    }
    if let Some(key) = &chunk.proof.acknowledged {
        write_attribute(out, ACKNOWLEDGED, &key.to_le_bytes());
    }
    if let Some(reason) = &chunk.refusal {
        write_attribute(out, REFUSAL, reason.as_bytes());
    }
    if let Some(handed_over) = &chunk.handed_over {
        // A struct of text and numbers always has a JSON form.
        let json = serde_json::to_vec(handed_over.as_ref()).unwrap_or_default();
        write_attribute(out, HANDED_OVER, &json);
    }
}

/// Values longer than three bytes of length can say are cut; inputs have far lower limits.
fn write_attribute(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let value = &value[..value.len().min(MAX_ATTRIBUTE_LENGTH)];
    out.push(kind);
    out.extend_from_slice(&(value.len() as u32).to_le_bytes()[..3]);
    out.extend_from_slice(value);
}
