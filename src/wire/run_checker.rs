//! Checking a run of entries whose bytes come a part at a time.

use super::contents::Contents;
use super::entry::{Entries, Item};
use super::limits::ContentLimits;
use super::msgpack::{ENVELOPE_DEPTH, MAX_DEPTH, MsgpackError, ScanError, Scanner};
use super::refusal::Refusal;

/// Bytes that are taken at once while the end of an entry is looked for.
const STEP: usize = 4096;

/// Memory for an entry in several parts that is kept for the next one, in bytes.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Walks over the entries of a run, whatever the parts that it comes in. Only an entry that is not whole yet is held,
/// up to `max_entry_size`.
#[derive(Debug)]
pub(super) struct RunChecker {
    limits: ContentLimits,
    contents: Contents,
    /// The run ends behind so many entries; `u32::MAX` where its bytes say where it ends.
    entries_left: u32,
    /// Bytes of the run before those that are looked at.
    passed: usize,
    /// The beginning of an entry.
    held: Vec<u8>,
    /// Follows the entry in `held`.
    scanner: Scanner,
}

impl RunChecker {
    /// For a run of so many entries; `None` where its bytes say where it ends.
    pub(super) fn new(limits: &ContentLimits, entries: Option<u32>) -> Self {
        Self {
            limits: *limits,
            contents: Contents::default(),
            entries_left: entries.unwrap_or(u32::MAX),
            passed: 0,
            held: Vec::new(),
            scanner: Scanner::with_depth(limits.max_entry_size, MAX_DEPTH + ENVELOPE_DEPTH),
        }
    }

    /// Goes on with the next part, and gives how many of its bytes belong to the run: all of them but where the run is
    /// over before.
    pub(super) fn take(&mut self, part: &[u8]) -> Result<usize, Refusal> {
        let mut taken = 0;
        if !self.held.is_empty() {
            taken = self.complete(part)?;
            if !self.held.is_empty() {
                return Ok(taken);
            }
        }
        taken += self.walk(&part[taken..])?;
        let rest = &part[taken..];
        if self.entries_left > 0 && !rest.is_empty() {
            taken += self.complete(rest)?;
        }
        Ok(taken)
    }

    /// Whether the entries so far have fewer bytes than this, on average.
    pub(super) fn has_entries_below(&self, bytes: u64) -> bool {
        u64::from(self.contents.entries) * bytes > self.passed as u64
    }

    /// Whether as many entries came as were announced.
    pub(super) fn is_complete(&self) -> bool {
        self.entries_left == 0
    }

    /// Bytes of memory that are held.
    pub(super) fn held(&self) -> usize {
        self.held.capacity()
    }

    /// What the run held.
    pub(super) fn finish(&self) -> Result<Contents, Refusal> {
        match self.held.is_empty() {
            true => Ok(self.contents()),
            false => Err(MsgpackError::Incomplete.into()),
        }
    }

    /// Checks a run that is all there.
    pub(super) fn whole(limits: &ContentLimits, run: &[u8]) -> Result<Contents, Refusal> {
        let mut checker = Self::new(limits, None);
        match checker.walk(run)? == run.len() {
            true => Ok(checker.contents()),
            false => Err(MsgpackError::Incomplete.into()),
        }
    }

    fn contents(&self) -> Contents {
        Contents { bytes: self.passed as u64, ..self.contents }
    }

    /// Checks the entries that are whole, and gives how many bytes they take.
    fn walk(&mut self, run: &[u8]) -> Result<usize, Refusal> {
        let mut entries = Entries::with_max_depth(run, self.limits.max_depth);
        let mut start = 0;
        while self.entries_left > 0 {
            match entries.next() {
                None => break,
                Some(Ok(entry)) => self.note(entry)?,
                Some(Err(MsgpackError::Incomplete)) => break,
                Some(Err(error)) => return Err(error.behind(self.passed).into()),
            }
            let end = entries.offset();
            if end - start > self.limits.max_entry_size {
                return Err(Refusal::EntryTooLarge { limit: self.limits.max_entry_size });
            }
            start = end;
        }
        self.passed += start;
        Ok(start)
    }

    /// Adds to the entry that is held until it is whole, and gives how many bytes it took.
    fn complete(&mut self, part: &[u8]) -> Result<usize, Refusal> {
        let mut taken = 0;
        loop {
            let known = self.scanner.known_length().saturating_sub(self.held.len());
            let step = known.max(STEP).min(part.len() - taken);
            self.held.extend_from_slice(&part[taken..taken + step]);
            taken += step;
            let end = self.scanner.advance(&self.held).map_err(|error| match error {
                ScanError::Msgpack(error) => error.behind(self.passed).into(),
                ScanError::TooLarge => Refusal::EntryTooLarge { limit: self.limits.max_entry_size },
            })?;
            if let Some(end) = end {
                taken -= self.held.len() - end;
                self.held.truncate(end);
                let entry = std::mem::take(&mut self.held);
                self.walk(&entry)?;
                if entry.capacity() <= KEPT_CAPACITY {
                    self.held = entry;
                    self.held.clear();
                }
                return Ok(taken);
            }
            if taken == part.len() {
                return Ok(taken);
            }
        }
    }

    #[inline]
    fn note(&mut self, item: Item<'_>) -> Result<(), Refusal> {
        self.entries_left -= 1;
        match item {
            Item::Event(entry) => self.contents.has_metadata |= entry.metadata.is_some(),
            Item::Mark(_) => {
                self.contents.has_metadata = true;
                return Ok(());
            }
            Item::Bad(_) => self.contents.bad_entries += 1,
        }
        self.contents.entries += 1;
        match self.contents.entries {
            // More than positions within a chunk can tell apart.
            u32::MAX => Err(Refusal::TooManyEntries),
            _ => Ok(()),
        }
    }
}
