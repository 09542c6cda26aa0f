//! Plaintext that nobody has asked for yet: a record seldom ends where a message does.

use tokio::io::ReadBuf;

/// Without memory while there is none.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    bytes: Vec<u8>,
    start: usize,
}

impl Ahead {
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn hand_out(&mut self, into: &mut ReadBuf<'_>) {
        let rest = &self.bytes[self.start..];
        let count = rest.len().min(into.remaining());
        into.put_slice(&rest[..count]);
        self.start += count;
        if self.start == self.bytes.len() {
            *self = Self::default();
        }
    }
}
