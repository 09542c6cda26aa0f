//! A large chunk as ordinary ones: runs of whole, plain entries that fit into memory.

use std::io;
use std::path::Path;

use super::super::format::chunk_payload::ChunkPayload;
use super::super::format::reference::Reference;
use super::Blocks;
use crate::storage::{Open, Storage};
use crate::wire::entry::{Entries, GroupMark, Item};
use crate::wire::inflating::Inflating;
use crate::wire::msgpack::MsgpackError;

/// Blocks of a file that are as long as the entries of a piece, which is longer where a single entry is. Pieces begin
/// at the same entries whenever they are read: this number is part of what makes ids of them stable.
const BLOCKS_OF_PIECE: usize = 4;

/// Bytes that are inflated at once.
const READ_LENGTH: usize = 256 * 1024;

/// Reads a large chunk from its beginning on.
#[derive(Debug)]
pub(in crate::journal) struct Pieces {
    source: Inflating<Blocks>,
    length: u64,
    /// Bytes of entries in a piece.
    piece_length: usize,
    /// Whether it is of a refused message, whose bytes nobody looks into: each piece then is so many bytes.
    is_refused: bool,
    /// The payload of the frame without what refers to the file, made to say that entries are plain.
    head: Vec<u8>,
    /// Entries that were passed, whatever they are.
    passed: u32,
    /// The start mark of the group that is open there, encoded; empty where none is.
    open_mark: Vec<u8>,
    /// The beginning of the next piece.
    rest: Vec<u8>,
    /// What comes behind the last good entry.
    fault: Option<LargeFault>,
    is_over: bool,
    /// Whether what the disk can't read is not going to be tried again.
    is_given_up: bool,
}

/// A run of entries of a large chunk.
#[derive(Debug)]
pub(in crate::journal) struct Piece {
    /// The index of its first entry.
    pub(in crate::journal) first: u32,
    /// Whether the start mark of the group that it begins in stands before that, as if it were an entry.
    pub(in crate::journal) repeats_mark: bool,
    /// The index of the entry behind its last one; `None` where the chunk is over.
    pub(in crate::journal) next: Option<u32>,
    pub(in crate::journal) payload: ChunkPayload,
}

/// Why a large chunk does not go on.
#[derive(Debug)]
pub(in crate::journal) enum LargeFault {
    /// Trying again may help.
    Io(io::Error),
    /// So many bytes of the file, up to its end, are lost.
    Damaged { lost: u64, reason: String },
}

/// Bytes of entries in a piece of a file with blocks of so many bytes.
pub(super) fn piece_length(block_length: u32) -> usize {
    (block_length as usize).saturating_mul(BLOCKS_OF_PIECE)
}

/// The start mark of the group that is open behind so many entries, where `mark` was open before them.
fn mark_behind(mark: &[u8], run: &[u8], count: u32) -> Vec<u8> {
    let mut open = mark;
    let mut entries = Entries::new(run);
    for _ in 0..count {
        let start = entries.offset();
        match entries.next() {
            Some(Ok(Item::Mark(GroupMark::Start(_)))) => open = &run[start..entries.offset()],
            Some(Ok(Item::Mark(GroupMark::End))) => open = &[],
            Some(_) => {}
            None => break,
        }
    }
    open.to_vec()
}

impl Pieces {
    /// Opens the file that a frame refers to.
    pub(in crate::journal) fn open(
        storage: &dyn Storage,
        path: &Path,
        frame: &ChunkPayload,
    ) -> Result<Self, LargeFault> {
        let reference = Reference::decode(frame.entries()).ok_or_else(|| LargeFault::Damaged {
            lost: 0,
            reason: "its frame does not say which file it refers to".to_owned(),
        })?;
        let file = storage.open(path, Open::Reading).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                LargeFault::Damaged { lost: reference.length, reason: "the file is missing".to_owned() }
            }
            _ => LargeFault::Io(error),
        })?;
        Ok(Self {
            length: reference.length,
            piece_length: piece_length(reference.block_length),
            source: Inflating::new(frame.encoding(), Blocks::new(file, reference)),
            is_refused: frame.is_refused(),
            head: frame.head_of_pieces(),
            passed: 0,
            open_mark: Vec::new(),
            rest: Vec::new(),
            fault: None,
            is_over: false,
            is_given_up: false,
        })
    }

    /// Gives what reads before the place that the disk can't read. Elsewise a piece comes as a whole or not at all, so that
    /// the next try cuts pieces at the same entries.
    pub(in crate::journal) fn given_up(mut self, is_given_up: bool) -> Self {
        self.is_given_up = is_given_up;
        self
    }

    /// The next piece of which at least one entry is at or behind `from`; `None` where there is none. After an error it
    /// has to be opened anew.
    pub(in crate::journal) fn next_from(&mut self, from: u32) -> Result<Option<Piece>, LargeFault> {
        if self.is_refused {
            return self.next_of_refused(from);
        }
        while !self.is_over {
            if let Some(fault) = self.fault.take() {
                self.is_over = true;
                return Err(fault);
            }
            let first = self.passed;
            let head = self.head.len();
            let mut mark = std::mem::take(&mut self.open_mark);
            let (mut run, count) = self.next_run()?;
            self.passed += count;
            self.open_mark = mark_behind(&mark, &run[head..], count);
            let mut first_kept = first;
            if first < from && from < self.passed {
                // The cursor of a program that cut elsewhere.
                let mut entries = Entries::new(&run[head..]);
                entries.by_ref().take((from - first) as usize).for_each(drop);
                let offset = head + entries.offset();
                mark = mark_behind(&mark, &run[head..offset], from - first);
                run.drain(head..offset);
                first_kept = from;
            }
            if self.passed <= from || count == 0 {
                continue;
            }
            let repeats_mark = !mark.is_empty();
            run.splice(head..head, mark);
            let payload = ChunkPayload::of_piece(run, self.passed - first_kept)
                .map_err(|_| self.damage("its frame does not decode".to_owned()))?;
            let next = (!self.is_over).then_some(self.passed);
            return Ok(Some(Piece { first: first_kept, repeats_mark, next, payload }));
        }
        Ok(None)
    }

    fn next_of_refused(&mut self, from: u32) -> Result<Option<Piece>, LargeFault> {
        while !self.is_over {
            let first = self.passed;
            let head = self.head.len();
            let mut run = Vec::with_capacity(head + self.piece_length);
            run.extend_from_slice(&self.head);
            self.fill(&mut run, head + self.piece_length)?;
            self.passed += 1;
            self.is_over = u64::from(self.passed) * self.piece_length as u64 >= self.length;
            if first >= from && run.len() > head {
                let payload = ChunkPayload::of_piece(run, 1)
                    .map_err(|_| self.damage("its frame does not decode".to_owned()))?;
                let next = (!self.is_over).then_some(self.passed);
                return Ok(Some(Piece { first, repeats_mark: false, next, payload }));
            }
        }
        Ok(None)
    }

    /// The head and as many whole entries as a piece holds, and how many.
    fn next_run(&mut self) -> Result<(Vec<u8>, u32), LargeFault> {
        let head = self.head.len();
        let mut run = Vec::with_capacity(head + self.piece_length);
        run.extend_from_slice(&self.head);
        run.append(&mut self.rest);
        let mut target = self.piece_length;
        loop {
            let ended = self.fill(&mut run, head + target);
            let mut entries = Entries::new(&run[head..]);
            let (mut end, mut count) = (0, 0);
            let garbled = loop {
                match entries.next() {
                    None | Some(Err(MsgpackError::Incomplete)) => break None,
                    Some(Ok(_)) => (end, count) = (entries.offset(), count + 1),
                    Some(Err(error)) => break Some(error),
                }
            };
            let fault = match (ended, garbled) {
                (Err(LargeFault::Io(error)), _) if !self.is_given_up => return Err(LargeFault::Io(error)),
                (Err(fault), _) => Some(fault),
                (Ok(_), Some(error)) => Some(self.damage(error.to_string())),
                (Ok(true), None) if head + end < run.len() => {
                    Some(self.damage("it ends inside an entry".to_owned()))
                }
                (Ok(true), None) => {
                    self.is_over = true;
                    return Ok((run, count));
                }
                (Ok(false), None) => None,
            };
            if count == 0 {
                match fault {
                    Some(fault) => return Err(fault),
                    None => target *= 2,
                }
                continue;
            }
            // The good entries before it go on.
            self.fault = fault;
            self.rest.extend_from_slice(&run[head + end..]);
            run.truncate(head + end);
            if self.rest.is_empty() && self.fault.is_none() {
                self.look_ahead();
            }
            return Ok((run, count));
        }
    }

    /// Finds out whether anything comes behind an entry that ended just where a read did.
    fn look_ahead(&mut self) {
        let mut rest = std::mem::take(&mut self.rest);
        match self.fill(&mut rest, READ_LENGTH) {
            Ok(_) => self.is_over = rest.is_empty(),
            Err(fault) => self.fault = Some(fault),
        }
        self.rest = rest;
    }

    /// Reads up to a length; whether there is no more.
    fn fill(&mut self, run: &mut Vec<u8>, length: usize) -> Result<bool, LargeFault> {
        while run.len() < length {
            let start = run.len();
            run.resize((start + READ_LENGTH).min(length), 0);
            let inflated = self.source.inflate(&mut run[start..]);
            // Nothing but what was read may look like entries, also after an error.
            run.truncate(start + *inflated.as_ref().ok().and_then(Option::as_ref).unwrap_or(&0));
            inflated.map_err(|error| self.fault(error.to_string()))?;
            if run.len() == start {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fault(&mut self, reason: String) -> LargeFault {
        match self.source.source().and_then(Blocks::take_failure) {
            Some(error) => LargeFault::Io(error),
            None => self.damage(reason),
        }
    }

    fn damage(&mut self, reason: String) -> LargeFault {
        let lost = self.source.source().map_or(self.length, |blocks| blocks.unread());
        LargeFault::Damaged { lost, reason }
    }
}
