//! Looking into a message before it is taken: what is acknowledged must be readable later.

use std::io::BufRead;

use super::inflating::{Inflating, Parts};
use super::limits::{ContentLimits, InflatedLimit};
use super::message::Message;
use super::refusal::Refusal;
use super::run_checker::RunChecker;
use crate::chunk::Encoding;

/// Bytes that are inflated at once.
const INFLATE_STEP: usize = 16 * 1024;

/// Logs inflate to five to thirty times their size, and an entry has hundreds of bytes. What inflates to more than this,
/// past the first bytes, or to entries of fewer, is measured before it is looked into any further: walking over a
/// bomb's entries costs a hundred times what inflating it does.
const UNLIKELY_RATIO: u64 = 64;
const UNLIKELY_SIZE: u64 = 32 * 1024;
const UNLIKELY_ENTRY: u64 = 16;

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// Events and bad entries; group marks are neither.
    pub entries: u32,
    /// Entries that are whole msgpack values and yet no events.
    pub bad_entries: u32,
    /// Whether at least one entry carries metadata, or is a group mark.
    pub has_metadata: bool,
    /// Bytes of all entries, inflated.
    pub bytes: u64,
}

impl Message {
    /// Walks over the entries once, through their compression. Besides the message itself this takes the memory of one
    /// entry and of the compression's window.
    ///
    /// # Errors
    ///
    /// Where the entries cannot be told apart, the compression is damaged, or they are past one of the limits.
    pub fn contents(&self, limits: &ContentLimits) -> Result<Contents, Refusal> {
        if self.encoding == Encoding::Plain {
            return RunChecker::whole(limits, &self.entries);
        }
        let mut run = RunChecker::new(limits, None);
        let length = self.entries.len() as u64;
        let inflated = || {
            let inflating = Inflating::new(self.encoding, &self.entries[..]);
            Inflated::new(inflating, limits.inflated(self.encoding, length))
        };
        let mut checked = inflated();
        while !(checked.is_unlikely(length) || run.has_entries_below(UNLIKELY_ENTRY)) {
            if !checked.check_next(&mut run)? {
                return run.finish();
            }
        }
        inflated().measure()?;
        checked.check(&mut run)?;
        run.finish()
    }
}

/// As [`Message::contents`], for entries that come a part at a time.
#[derive(Debug)]
pub struct ContentsChecker {
    run: RunChecker,
    /// `None`: plain.
    inflated: Option<Box<Inflated<Parts>>>,
}

impl ContentsChecker {
    /// For `length` bytes of entries, encoded like this.
    pub fn new(encoding: Encoding, length: u64, limits: &ContentLimits) -> Self {
        let inflated = match encoding {
            Encoding::Plain => None,
            _ => {
                let inflating = Inflating::new(encoding, Parts::default());
                Some(Box::new(Inflated::new(inflating, limits.inflated(encoding, length))))
            }
        };
        Self { run: RunChecker::new(limits, None), inflated }
    }

    /// For so many plain entries, however long they are.
    pub fn of_entries(count: u32, limits: &ContentLimits) -> Self {
        Self { run: RunChecker::new(limits, Some(count)), inflated: None }
    }

    /// Goes on with the next part, and gives how many of its bytes are entries: all of them but where as many as were
    /// announced end before.
    ///
    /// # Errors
    ///
    /// As [`Message::contents`]. The checker is of no use afterwards.
    pub fn take(&mut self, part: &[u8]) -> Result<usize, Refusal> {
        match &mut self.inflated {
            None => self.run.take(part),
            Some(inflated) => {
                inflated.give(part);
                inflated.check(&mut self.run)?;
                Ok(part.len())
            }
        }
    }

    /// Whether as many entries came as were announced; never for entries that were announced by their length.
    pub fn is_complete(&self) -> bool {
        self.run.is_complete()
    }

    /// Bytes of memory that are held until the next part.
    pub fn held(&self) -> usize {
        self.run.held()
    }

    /// What the entries are, when all of them were taken.
    ///
    /// # Errors
    ///
    /// Where the last entry, or the compression, is cut short.
    pub fn finish(mut self) -> Result<Contents, Refusal> {
        if let Some(inflated) = &mut self.inflated {
            inflated.end();
            inflated.check(&mut self.run)?;
        }
        self.run.finish()
    }
}

/// What comes out of a compression.
#[derive(Debug)]
struct Inflated<R: BufRead> {
    inflating: Inflating<R>,
    window: Vec<u8>,
    bytes: u64,
    limit: InflatedLimit,
}

impl<R: BufRead> Inflated<R> {
    fn new(inflating: Inflating<R>, limit: InflatedLimit) -> Self {
        Self { inflating, window: vec![0; INFLATE_STEP], bytes: 0, limit }
    }

    /// Checks all that can be inflated now.
    fn check(&mut self, run: &mut RunChecker) -> Result<(), Refusal> {
        while self.check_next(run)? {}
        Ok(())
    }

    /// Checks what is inflated next; `false` where there is nothing for now.
    fn check_next(&mut self, run: &mut RunChecker) -> Result<bool, Refusal> {
        match self.next()? {
            0 => Ok(false),
            count => run.take(&self.window[..count]).map(|_| true),
        }
    }

    /// Inflates everything, for its size alone.
    fn measure(&mut self) -> Result<(), Refusal> {
        while self.next()? > 0 {}
        Ok(())
    }

    /// Inflates the next bytes into the window; 0 where there are none for now.
    fn next(&mut self) -> Result<usize, Refusal> {
        let count = self.inflating.inflate(&mut self.window)?.unwrap_or(0);
        self.bytes += count as u64;
        if self.bytes > self.limit.bytes {
            return Err(self.limit.refusal.clone());
        }
        Ok(count)
    }
}

impl Inflated<&[u8]> {
    /// Whether so much came out of what was read of `length` bytes that it may be a bomb.
    fn is_unlikely(&mut self, length: u64) -> bool {
        let left = self.inflating.source().map_or(0, |source| source.len() as u64);
        self.bytes > UNLIKELY_SIZE && self.bytes > (length - left).saturating_mul(UNLIKELY_RATIO)
    }
}

impl Inflated<Parts> {
    fn give(&mut self, part: &[u8]) {
        if let Some(parts) = self.inflating.source() {
            parts.give(part);
        }
    }

    fn end(&mut self) {
        if let Some(parts) = self.inflating.source() {
            parts.end();
        }
    }
}

#[cfg(test)]
mod tests;
