//! Entries as plain msgpack, in memory that is reused.

use crate::chunk::Encoding;
use crate::journal::StoredChunk;
use crate::wire::compression::{InflateError, inflate};

/// Bytes of one chunk after inflating. Inputs check every chunk against their own, lower limit before they take it.
const MAX_INFLATED_SIZE: usize = 4 << 30;

/// What is kept between two chunks, in bytes, so that one that was unusually large does not hold its memory for ever.
const KEPT_CAPACITY: usize = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Inflater {
    inflated: Vec<u8>,
}

impl Inflater {
    /// The entries of a chunk, one after the other.
    pub(super) fn entries<'a>(&'a mut self, chunk: &'a StoredChunk) -> Result<&'a [u8], InflateError> {
        match chunk.encoding() {
            Encoding::Plain => Ok(chunk.entries()),
            encoding => {
                self.inflated.clear();
                self.inflated.shrink_to(KEPT_CAPACITY);
                inflate(encoding, chunk.entries(), MAX_INFLATED_SIZE, &mut self.inflated)?;
                Ok(&self.inflated)
            }
        }
    }
}
