//! Messages that are too large for memory, taken apart as they come.
//!
//! ```text
//! [tag, entries, option?]
//!  ╰─ begin ─╯╰─ take ─╯╰─ end
//! ```
//!
//! The entries are checked on the way and go elsewhere; only tag and option are held. How packed entries are encoded
//! is said behind them, by the option. Until then their first bytes have to tell; where those mislead, the entries
//! have to be looked at once more.
//!
//! Where packed entries must not be taken, the message goes on to its end all the same, for its length is known: who
//! sent it, and what it waits for, is to be read there.

use bytes::Bytes;

use super::contents::{Contents, ContentsChecker};
use super::limits::ContentLimits;
use super::message::MAX_TAG_LENGTH;
use super::msgpack::{Head, MsgpackError, ScanError, Scanner, Token, read};
use super::options::Options;
use super::refusal::Refusal;
use crate::chunk::Encoding;

/// Bytes of the option of a large message at most; real ones have about a hundred.
pub const MAX_LARGE_OPTION_SIZE: usize = 64 * 1024;

/// Bytes that tell how packed entries are encoded.
const MAGIC_LENGTH: usize = 4;

/// A large message under way.
#[derive(Debug)]
pub struct LargeMessage {
    tag: Bytes,
    form: Form,
    has_option: bool,
    max_message_size: u64,
    limits: ContentLimits,
    /// Bytes before the entries.
    head: u64,
    /// Bytes of entries so far.
    length: u64,
    checking: Checking,
    option: Scanner,
}

/// What is known of the entries so far.
#[derive(Debug)]
enum Checking {
    Good(Box<ContentsChecker>),
    /// The first bytes misled, and what the entries are is found out afterwards.
    Misled,
    /// Packed entries, so that the message has an end nevertheless.
    Bad(Refusal),
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// So many bytes, encoded like this by the look of them.
    Packed { length: u64, sniffed: Encoding },
    /// As many entries as the checker waits for.
    Entries,
    /// An entry without the head of its array.
    Message,
}

/// A large message, all of it.
#[derive(Debug)]
pub struct LargeEnd {
    pub tag: Bytes,
    pub options: Options,
    /// How the entries are encoded.
    pub encoding: Encoding,
    pub contents: LargeContents,
}

/// What the entries of a large message are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LargeContents {
    /// They may be taken.
    Good(Contents),
    /// They have to be looked at once more, by [`LargeMessage::checker`] for the encoding.
    Unknown,
    /// They must not be taken.
    Refused(Refusal),
}

impl LargeMessage {
    /// Reads the beginning of a message, up to its entries, and gives its length. `None` while that is not all there.
    ///
    /// # Errors
    ///
    /// Where it is no message, or announces to be past a limit.
    pub fn begin(
        bytes: &[u8],
        max_message_size: usize,
        limits: &ContentLimits,
    ) -> Result<Option<(Self, usize)>, Refusal> {
        match Self::read(bytes, max_message_size, limits) {
            Err(Refusal::Msgpack(MsgpackError::Incomplete)) => Ok(None),
            read => read.map(Some),
        }
    }

    fn read(bytes: &[u8], max_message_size: usize, limits: &ContentLimits) -> Result<(Self, usize), Refusal> {
        let mut at = 0;
        let Token::Array(length) = read(bytes, &mut at)? else {
            return Err(Refusal::Shape("it is no array"));
        };
        let tag = match Head::read(&bytes[at..], at)? {
            Some(head) if head.body > MAX_TAG_LENGTH as u64 => {
                return Err(Refusal::TagTooLong(usize::try_from(head.body).unwrap_or(usize::MAX)));
            }
            _ => match read(bytes, &mut at)? {
                Token::Str(tag) | Token::Bin(tag) => Bytes::copy_from_slice(tag),
                _ => return Err(Refusal::Shape("the tag is no string")),
            },
        };
        let marker = *bytes.get(at).ok_or(MsgpackError::Incomplete)?;
        let head = Head::read(&bytes[at..], at)?.ok_or(MsgpackError::Incomplete)?;
        // Each entry takes a byte at least, so that a count tells as much as a length.
        if (at + head.size) as u64 + head.body + head.children > max_message_size as u64 {
            return Err(Refusal::TooLarge { limit: max_message_size });
        }
        let (form, checker) = match marker {
            0xa0..=0xbf | 0xc4..=0xc6 | 0xd9..=0xdb => {
                at += head.size;
                let sniffed = sniff(&bytes[at..], head.body)?;
                let checker = ContentsChecker::new(sniffed, head.body, limits);
                (Form::Packed { length: head.body, sniffed }, checker)
            }
            0x90..=0x9f | 0xdc | 0xdd => {
                at += head.size;
                let count = u32::try_from(head.children).map_err(|_| Refusal::TooManyEntries)?;
                (Form::Entries, ContentsChecker::of_entries(count, limits))
            }
            0x80..=0x8f | 0xde | 0xdf => {
                return Err(Refusal::Shape("there is a map where time or entries should be"));
            }
            _ => {
                let mut checker = ContentsChecker::of_entries(1, limits);
                checker.take(&[ENTRY])?;
                (Form::Message, checker)
            }
        };
        let least = if matches!(form, Form::Message) { 3 } else { 2 };
        if !(least..=least + 1).contains(&length) {
            return Err(Refusal::Shape("the array has not two to four elements, or not those of its form"));
        }
        let message = Self {
            tag,
            form,
            has_option: length > least,
            max_message_size: max_message_size as u64,
            limits: *limits,
            head: at as u64,
            length: 0,
            checking: Checking::Good(Box::new(checker)),
            option: Scanner::new(MAX_LARGE_OPTION_SIZE),
        };
        Ok((message, at))
    }

    /// Whether a message with so many bytes behind its head may be taken.
    fn within_size(&self, length: u64) -> Result<(), Refusal> {
        match self.head + length <= self.max_message_size {
            true => Ok(()),
            false => {
                let limit = usize::try_from(self.max_message_size).unwrap_or(usize::MAX);
                Err(Refusal::TooLarge { limit })
            }
        }
    }

    /// What has to be put before the entries, so that they are a run of entries: the Message form leaves the head of
    /// its one entry out.
    pub fn prefix(&self) -> &'static [u8] {
        match self.form {
            Form::Message => &[ENTRY],
            _ => &[],
        }
    }

    /// Checks what comes next, and gives how many of its bytes are entries.
    ///
    /// # Errors
    ///
    /// Where the message must not be taken and has no end.
    pub fn take(&mut self, part: &[u8]) -> Result<usize, Refusal> {
        let taken = match (self.form, &mut self.checking) {
            (Form::Packed { length, sniffed }, checking) => {
                let left = usize::try_from(length - self.length).unwrap_or(usize::MAX);
                let part = &part[..part.len().min(left)];
                if let Checking::Good(checker) = checking
                    && let Err(refusal) = checker.take(part)
                {
                    *checking = match sniffed {
                        // Neither gzip nor Zstandard begins like this, so that they would be damaged.
                        Encoding::Plain => Checking::Bad(refusal),
                        Encoding::Gzip | Encoding::Zstd => Checking::Misled,
                    };
                }
                part.len()
            }
            (_, Checking::Good(checker)) => checker.take(part)?,
            (_, Checking::Misled | Checking::Bad(_)) => 0,
        };
        self.length += taken as u64;
        self.within_size(self.length)?;
        Ok(taken)
    }

    /// Whether all entries were taken.
    pub fn is_complete(&self) -> bool {
        match (self.form, &self.checking) {
            (Form::Packed { length, .. }, _) => self.length == length,
            (_, Checking::Good(checker)) => checker.is_complete(),
            (_, Checking::Misled | Checking::Bad(_)) => true,
        }
    }

    /// Bytes of entries that are surely still to come.
    pub fn missing(&self) -> u64 {
        match self.form {
            Form::Packed { length, .. } => length - self.length,
            _ => u64::from(!self.is_complete()),
        }
    }

    /// Bytes of entries so far, without the prefix.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of memory that are held until the next part.
    pub fn held(&self) -> usize {
        match &self.checking {
            Checking::Good(checker) => checker.held(),
            Checking::Misled | Checking::Bad(_) => 0,
        }
    }

    /// Reads what is behind the entries: `bytes` are all that came behind them. Gives the length of it, or `None`
    /// while it is not all there.
    ///
    /// # Errors
    ///
    /// Where the message must not be taken.
    pub fn end(&mut self, bytes: &[u8]) -> Result<Option<(LargeEnd, usize)>, Refusal> {
        let (options, length) = match self.has_option {
            false => (Options::default(), 0),
            true => {
                let length = self.option.advance(bytes).map_err(|error| match error {
                    ScanError::Msgpack(error) => Refusal::Msgpack(error),
                    ScanError::TooLarge => Refusal::OptionTooLarge { limit: MAX_LARGE_OPTION_SIZE },
                })?;
                let Some(length) = length else { return Ok(None) };
                (Options::read(&Bytes::copy_from_slice(&bytes[..length]), 0)?, length)
            }
        };
        self.within_size(self.length + length as u64)?;
        let encoding = match self.form {
            Form::Packed { .. } => options.encoding,
            _ => Encoding::Plain,
        };
        let contents = match (self.form, std::mem::replace(&mut self.checking, Checking::Misled)) {
            (_, Checking::Bad(refusal)) => LargeContents::Refused(refusal),
            (Form::Packed { sniffed, .. }, _) if sniffed != encoding && self.length > 0 => {
                LargeContents::Unknown
            }
            (_, Checking::Misled) => LargeContents::Unknown,
            (_, Checking::Good(checker)) => {
                checker.finish().map_or_else(LargeContents::Refused, LargeContents::Good)
            }
        };
        Ok(Some((LargeEnd { tag: self.tag.clone(), options, encoding, contents }, length)))
    }

    /// Looks at the entries once more, where [`LargeContents::Unknown`] asks for it.
    pub fn checker(&self, encoding: Encoding) -> ContentsChecker {
        ContentsChecker::new(encoding, self.length, &self.limits)
    }
}

/// The head of an entry, an array of two.
const ENTRY: u8 = 0x92;

/// How entries are encoded, by their first bytes.
fn sniff(entries: &[u8], length: u64) -> Result<Encoding, Refusal> {
    if (entries.len() as u64) < length.min(MAGIC_LENGTH as u64) {
        return Err(MsgpackError::Incomplete.into());
    }
    Ok(match entries {
        [0x1f, 0x8b, ..] => Encoding::Gzip,
        // A frame, or one that decoders skip.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Encoding::Zstd,
        _ => Encoding::Plain,
    })
}

#[cfg(test)]
mod tests;
