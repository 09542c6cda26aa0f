//! A large message on its way through a file: checked and written a piece at a time, on threads that may block.

use std::io;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use bytes::{Buf, Bytes, BytesMut};

use super::budget::Reservation;
use super::space::Space;
use crate::journal::large::{LargeEntries, Spool};
use crate::wire::contents::Contents;
use crate::wire::large::{LargeContents, LargeEnd, LargeMessage};
use crate::wire::options::Signal;
use crate::wire::refusal::Refusal;

/// Bytes that are checked and written at once.
pub(super) const PIECE: usize = 256 * 1024;

/// A message in memory that inflates to more bytes than this is kept in a file as well: whoever reads it from there gets
/// it in pieces, and need not inflate all of it at once.
pub(super) const MAX_INFLATED_IN_MEMORY: u64 = 64 * 1024 * 1024;

/// Why a large message is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LargeError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("the spool file of a large message cannot be written: {0}; check the disk of data_dir")]
    Disk(#[from] io::Error),
    /// The disk has no space, and senders are not to wait for it.
    #[error("the disk is full, and journal.when_full says to refuse what is sent")]
    NoSpace,
    #[error("the server stops")]
    Stopped,
}

/// A large message under way.
#[derive(Debug)]
pub(super) struct Spooling {
    message: LargeMessage,
    spool: Spool,
}

/// A large message that is in its file as a whole, and not durable yet.
#[derive(Debug)]
pub(super) struct Spooled {
    spooling: Spooling,
    end: LargeEnd,
    /// Its part of `max_spool_size`.
    pub(super) reservation: Reservation,
    /// Bytes of the message.
    pub(super) length: u64,
}

/// A large message that is checked.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) end: LargeEnd,
    pub(super) outcome: Outcome,
    pub(super) reservation: Reservation,
}

/// What is to become of a large message.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is durable.
    Good(Contents, LargeEntries),
    /// There is nothing to store.
    Nothing,
    /// It must not be taken, but perhaps as it is.
    Refused(Refusal, Spool),
}

impl Spooling {
    /// Begins a file for a message.
    pub(super) async fn begin(message: LargeMessage, space: &Space) -> Result<Self, LargeError> {
        let folder = space.folder().clone();
        let begin = move |message: &mut LargeMessage| {
            let mut spool = folder.create()?;
            spool.write(message.prefix())?;
            Ok(spool)
        };
        let (message, spool) = space.write(message, begin).await?;
        Ok(Self { message, spool })
    }

    /// Checks and writes the entries that a buffer begins with, and gives what is behind them: nothing, but where the
    /// entries are over.
    pub(super) async fn take(self, buffer: BytesMut, space: &Space) -> Result<(Self, BytesMut), LargeError> {
        let take = |(spooling, buffer, checked): &mut (Self, BytesMut, Option<usize>)| {
            // Checked once, however often it is written.
            let length = match *checked {
                Some(length) => length,
                None => *checked.insert(spooling.message.take(buffer)?),
            };
            spooling.spool.write(&buffer[..length])?;
            buffer.advance(length);
            Ok(())
        };
        let ((spooling, buffer, _), ()) = space.write((self, buffer, None), take).await?;
        Ok((spooling, buffer))
    }

    pub(super) fn message(&mut self) -> &mut LargeMessage {
        &mut self.message
    }

    /// Bytes that the message takes in memory.
    pub(super) fn memory(&self) -> usize {
        2 * PIECE + self.message.held()
    }

    /// All of it is here.
    pub(super) fn ended(self, end: LargeEnd, reservation: Reservation, length: u64) -> Spooled {
        Spooled { spooling: self, end, reservation, length }
    }
}

impl Spooled {
    /// Makes it durable where it may be taken, after a second look at its entries where the first bytes of them misled.
    pub(super) async fn settle(self, space: &Space) -> Result<Settled, LargeError> {
        let Self { spooling: Spooling { message, spool }, end, reservation, .. } = self;
        if let Signal::Other(_) = end.options.signal {
            return Ok(Settled { end, outcome: Outcome::Nothing, reservation });
        }
        let (end, spool, judged) = blocking(move || {
            let judged = judge(&message, &spool, &end);
            Ok((end, spool, judged))
        })
        .await?;
        let outcome = match judged {
            Ok(contents) if contents.entries == 0 => Outcome::Nothing,
            Ok(contents) => Outcome::Good(contents, finish(spool, space).await?),
            Err(LargeError::Refused(refusal)) => Outcome::Refused(refusal, spool),
            Err(error) => return Err(error),
        };
        Ok(Settled { end, outcome, reservation })
    }
}

fn judge(message: &LargeMessage, spool: &Spool, end: &LargeEnd) -> Result<Contents, LargeError> {
    match &end.contents {
        LargeContents::Good(contents) => Ok(*contents),
        LargeContents::Unknown => look_again(message, spool, end),
        LargeContents::Refused(refusal) => Err(refusal.clone().into()),
    }
}

/// Puts entries that are in memory into a file, durably.
pub(super) async fn spool_whole(entries: Bytes, space: &Space) -> Result<LargeEntries, LargeError> {
    let folder = space.folder().clone();
    let spool = move |entries: &mut Bytes| {
        let mut spool = folder.create()?;
        spool.write(entries)?;
        Ok(spool.finish()?)
    };
    space.write(entries, spool).await.map(|(_, entries)| entries)
}

/// The digest of what is in a spool.
pub(super) async fn digest_of(spool: Spool) -> Result<(Spool, Digest), LargeError> {
    blocking(move || {
        let mut context = Context::new(&SHA256);
        each_piece(&spool, |piece| {
            context.update(piece);
            Ok(())
        })?;
        Ok((spool, context.finish()))
    })
    .await
}

/// Makes what is in a spool durable, whatever it is.
pub(super) async fn finish(spool: Spool, space: &Space) -> Result<LargeEntries, LargeError> {
    space.write(spool, |spool| Ok(spool.finish()?)).await.map(|(_, entries)| entries)
}

fn look_again(message: &LargeMessage, spool: &Spool, end: &LargeEnd) -> Result<Contents, LargeError> {
    let mut checker = message.checker(end.encoding);
    each_piece(spool, |piece| Ok(checker.take(piece).map(drop)?))?;
    Ok(checker.finish()?)
}

fn each_piece(
    spool: &Spool,
    mut look: impl FnMut(&[u8]) -> Result<(), LargeError>,
) -> Result<(), LargeError> {
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        match spool.read_at(&mut piece, offset)? {
            0 => return Ok(()),
            count => {
                look(&piece[..count])?;
                offset += count as u64;
            }
        }
    }
}

/// Where files are written and bytes are inflated, nobody else waits.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LargeError> + Send + 'static,
) -> Result<T, LargeError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}
