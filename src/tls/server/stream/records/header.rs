//! What is around the content of a record.

use rustls::{ContentType, Error, InvalidMessage, PeerMisbehaved};

use super::fault::Fault;

/// Bytes of a record's header.
pub(super) const LENGTH: usize = 5;

/// Bytes of content in a record at most.
pub(in super::super) const MAX_CONTENT: usize = 1 << 14;

/// What may be around content: its type and the tag, and room for what other cipher suites add (RFC 8446, section 5.2).
const MAX_EXPANSION: usize = 256;

const APPLICATION_DATA: u8 = 23;

/// The header of a record with so many bytes behind it, which are no more than two bytes can say.
pub(super) fn header(sealed: usize) -> [u8; LENGTH] {
    let [high, low] = (sealed as u16).to_be_bytes();
    [APPLICATION_DATA, 3, 3, high, low]
}

/// The length of the record that the bytes begin with, header and all; `None` while it is not there as a whole. What can't
/// become a record is refused by its first bytes.
pub(super) fn record_length(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    if let Some(&kind) = bytes.first()
        && kind != APPLICATION_DATA
    {
        return Err(Fault::unexpected(Error::InappropriateMessage {
            expect_types: vec![ContentType::ApplicationData],
            got_type: kind.into(),
        }));
    }
    // The minor version is part of what the tag is over, and says nothing.
    if let Some(&major) = bytes.get(1)
        && major != 3
    {
        return Err(Fault::no_message(InvalidMessage::UnknownProtocolVersion));
    }
    let Some(&[.., high, low]) = bytes.first_chunk::<LENGTH>() else { return Ok(None) };
    let sealed = usize::from(u16::from_be_bytes([high, low]));
    if sealed > MAX_CONTENT + MAX_EXPANSION {
        return Err(Fault::too_long());
    }
    Ok(Some(LENGTH + sealed).filter(|length| *length <= bytes.len()))
}

/// Type and content of what was deciphered. Zeros behind them make no record longer than the longest without any
/// (RFC 8446, section 5.4).
pub(super) fn split_inner(inner: &[u8]) -> Result<(u8, &[u8]), Fault> {
    if inner.len() > MAX_CONTENT + 1 {
        return Err(Fault::too_long());
    }
    let Some(end) = inner.iter().rposition(|byte| *byte != 0) else {
        return Err(Fault::unexpected(PeerMisbehaved::IllegalTlsInnerPlaintext));
    };
    Ok((inner[end], &inner[..end]))
}
