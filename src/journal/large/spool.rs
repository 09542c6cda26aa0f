//! A large message on its way to the journal.

mod entries;
mod folder;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use super::super::format::reference::Reference;
use super::super::segment_file::allocate;
use crate::planted::{Bug, is_planted};
use crate::storage::{StorageFile, read_full_at, write_all_at};
pub use entries::LargeEntries;
use entries::OwnedPath;
pub use folder::SpoolFolder;

/// Blocks that are allocated at once, so that a full disk is known before it is written to; and written back at once,
/// so that the last sync has little to do and nobody else's sync waits behind it.
const BLOCKS_OF_STEP: u64 = 8;

/// Entries of a large message, as far as they came. Removed when dropped.
#[derive(Debug)]
pub struct Spool {
    file: Box<dyn StorageFile>,
    path: OwnedPath,
    /// Bytes of a block.
    full_block: u32,
    length: u64,
    allocated: u64,
    /// Up to where it was written back.
    synced: u64,
    /// Whether the last sync failed, so that what it was to write may be nowhere but in the page cache.
    must_rewrite: bool,
    checksums: Vec<u32>,
    /// Of the block that is not full yet.
    block: crc32fast::Hasher,
    block_length: usize,
}

impl Spool {
    /// Appends. After an error nothing of it is taken, and it may be tried again. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length - self.synced >= self.step() {
            self.write_back()?;
        }
        let end = self.length + bytes.len() as u64;
        if end > self.allocated {
            let allocated = end.next_multiple_of(self.step());
            if let Err(error) = allocate(self.file.as_ref(), self.allocated, allocated) {
                // A part of it would hold space that others need; the error itself is what counts.
                let _ = self.file.set_len(self.length);
                self.allocated = self.length;
                return Err(error);
            }
            self.allocated = allocated;
        }
        write_all_at(self.file.as_ref(), bytes, self.length)?;
        self.length = end;
        self.check(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads what was written; fewer bytes at the end. Blocks.
    pub fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let out_length = out.len().min(left);
        read_full_at(self.file.as_ref(), &mut out[..out_length], offset)
    }

    /// Makes it durable. After an error it may be tried again. Blocks.
    pub fn finish(&mut self) -> io::Result<LargeEntries> {
        self.file.set_len(self.length)?;
        self.allocated = self.length;
        self.write_back()?;
        let mut checksums = std::mem::take(&mut self.checksums);
        if std::mem::take(&mut self.block_length) > 0 {
            checksums.push(std::mem::take(&mut self.block).finalize());
        }
        let reference = Reference { length: self.length, block_length: self.full_block, checksums };
        let storage = Arc::clone(&self.path.storage);
        let path = OwnedPath { storage, path: std::mem::take(&mut self.path.path) };
        Ok(LargeEntries { path, reference })
    }

    /// Makes durable what was written.
    fn write_back(&mut self) -> io::Result<()> {
        if self.must_rewrite {
            self.rewrite()?;
        }
        let synced = if is_planted(Bug::UnsyncedLargeFile) { Ok(()) } else { self.file.sync() };
        self.must_rewrite = synced.is_err();
        synced?;
        self.synced = self.length;
        Ok(())
    }

    /// Writes once more what a sync may have dropped, as far as it reads as it was.
    fn rewrite(&self) -> io::Result<()> {
        let block_length = u64::from(self.full_block);
        let mut block = vec![0; self.full_block as usize];
        for number in self.synced / block_length..self.length.div_ceil(block_length) {
            let offset = number * block_length;
            let count = self.read_at(&mut block, offset)?;
            let full = usize::try_from(number).ok().and_then(|number| self.checksums.get(number).copied());
            if crc32fast::hash(&block[..count]) != full.unwrap_or_else(|| self.block.clone().finalize()) {
                return Err(io::Error::other(
                    "what was written no longer reads as it was, after a sync that failed",
                ));
            }
            write_all_at(self.file.as_ref(), &block[..count], offset)?;
        }
        Ok(())
    }

    /// Bytes that are allocated at once.
    fn step(&self) -> u64 {
        BLOCKS_OF_STEP * u64::from(self.full_block)
    }

    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(self.full_block as usize - self.block_length));
            self.block.update(part);
            self.block_length += part.len();
            if self.block_length == self.full_block as usize {
                self.checksums.push(std::mem::take(&mut self.block).finalize());
                self.block_length = 0;
            }
            bytes = rest;
        }
    }
}
