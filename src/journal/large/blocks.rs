//! Reading a large file block by block, each checked before anything of it is used.

use std::io::{self, BufRead, Read};

use super::super::format::reference::Reference;
use super::super::read_ahead::ReadAhead;
use crate::storage::{StorageFile, read_full_at};

/// The bytes of a large file.
#[derive(Debug)]
pub(in crate::journal) struct Blocks {
    file: Box<dyn StorageFile>,
    ahead: ReadAhead,
    reference: Reference,
    /// The next block.
    index: usize,
    block: Vec<u8>,
    at: usize,
    /// What the file itself refused, which is no damage.
    failure: Option<io::Error>,
}

impl Blocks {
    /// From the beginning of a file.
    pub(in crate::journal) fn new(file: Box<dyn StorageFile>, reference: Reference) -> Self {
        file.read_no_further();
        let ahead = ReadAhead::default();
        Self { file, ahead, reference, index: 0, block: Vec::new(), at: 0, failure: None }
    }

    /// Bytes from the first block on that was not read or does not check.
    pub(in crate::journal) fn unread(&self) -> u64 {
        let start = self.index as u64 * u64::from(self.reference.block_length);
        self.reference.length.saturating_sub(start)
    }

    /// Reads all of it, for nothing but its checksums. What is lost of it, from the first bad block on.
    pub(in crate::journal) fn verify(mut self) -> io::Result<u64> {
        loop {
            match self.fill_buf() {
                Ok([]) => return Ok(0),
                Ok(block) => {
                    let length = block.len();
                    self.consume(length);
                }
                Err(_) => return self.take_failure().map_or(Ok(self.unread()), Err),
            }
        }
    }

    /// Why the file could not be read; `None` where it was read and does not check.
    pub(in crate::journal) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// The next block is read, or there is none.
    fn next_block(&mut self) -> io::Result<()> {
        let Some(checksum) = self.reference.checksums.get(self.index) else {
            self.block.clear();
            self.at = 0;
            return Ok(());
        };
        let length = self.unread().min(u64::from(self.reference.block_length));
        self.block.resize(length as usize, 0);
        // Nothing of it may be used before it is checked.
        self.at = self.block.len();
        let start = self.index as u64 * u64::from(self.reference.block_length);
        self.ahead.before_reading(self.file.as_ref(), start, start + length, self.reference.length);
        match read_full_at(self.file.as_ref(), &mut self.block, start) {
            Ok(count) if count == self.block.len() => {}
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is shorter than it was"));
            }
            Err(error) => {
                let told = io::Error::new(error.kind(), error.to_string());
                self.failure = Some(error);
                return Err(told);
            }
        }
        if crc32fast::hash(&self.block) != *checksum {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("block {} of the file does not check", self.index),
            ));
        }
        self.index += 1;
        self.at = 0;
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.fill_buf()?;
        let count = rest.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Blocks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.block.len() {
            self.next_block()?;
        }
        Ok(&self.block[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.block.len());
    }
}
