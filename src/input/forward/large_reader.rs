//! Reading a large message into a file.

use std::time::Instant;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncRead;
use tokio::time::timeout;

use super::large::{LargeError, PIECE, Spooling};
use super::pace::Pace;
use super::reader::{Incoming, MessageReader, READ_SIZE, ReadError, ReaderSettings, Received, read_some};
use crate::wire::large::LargeMessage;
use crate::wire::refusal::Refusal;

impl<R: AsyncRead + Unpin> MessageReader<'_, R> {
    /// The message under way, once its beginning is all there, and the length of that.
    pub(super) fn begin_large(&mut self) -> Result<Option<(LargeMessage, usize)>, Refusal> {
        let ReaderSettings { max_message_size, limits, .. } = &self.settings;
        LargeMessage::begin(self.framer.buffer(), *max_message_size, limits)
    }

    /// Reads a large message into a file. `None` where the server stops.
    pub(super) async fn spool(
        &mut self,
        message: LargeMessage,
        head: usize,
    ) -> Result<Option<Received>, ReadError> {
        let mut buffer = self.framer.hand_out();
        self.room = BytesMut::new();
        buffer.advance(head);
        let mut space = self.settings.spool_budget.reserve();
        let mut pace = Pace::new(self.settings.min_rate, self.settings.rate_window);
        let mut spooling = match Spooling::begin(message, &self.settings.disk_space).await {
            Err(LargeError::Stopped) => return Ok(None),
            begun => begun?,
        };
        loop {
            let length = spooling.message().length() as usize + buffer.len();
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(None),
                () = space.grow_beside(length, &mut self.reservation) => {}
            }
            (spooling, buffer) = match spooling.take(buffer, &self.settings.disk_space).await {
                Err(LargeError::Stopped) => return Ok(None),
                taken => taken?,
            };
            if spooling.message().is_complete() {
                break;
            }
            if buffer.capacity() > 2 * PIECE {
                // What the beginning took is free again.
                buffer = BytesMut::new();
            }
            self.reservation.shrink_to(spooling.memory());
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Ok(None),
                () = self.reservation.grow_beside(spooling.memory(), &mut space) => {}
            }
            let piece = spooling.message().missing().min(PIECE as u64) as usize;
            while buffer.len() < piece {
                let received = head as u64 + spooling.message().length();
                if !self.read_at_pace(&mut buffer, PIECE, received, &mut pace).await? {
                    return Ok(None);
                }
            }
        }
        let received = head as u64 + spooling.message().length();
        let (end, length) = loop {
            if let Some(end) = spooling.message().end(&buffer)? {
                break end;
            }
            if !self.read_at_pace(&mut buffer, READ_SIZE, received, &mut pace).await? {
                return Ok(None);
            }
        };
        buffer.advance(length);
        self.framer.take_back(buffer);
        let reservation = std::mem::replace(&mut self.reservation, self.budget.reserve());
        let spooled = spooling.ended(end, space, received + length as u64);
        Ok(Some(Received { message: Incoming::InFile(Box::new(spooled)), memory: None, reservation }))
    }

    /// Reads some bytes of a large message of which so many have come; `false` where the server stops.
    async fn read_at_pace(
        &mut self,
        buffer: &mut BytesMut,
        size: usize,
        received: u64,
        pace: &mut Pace,
    ) -> Result<bool, ReadError> {
        let received = received + buffer.len() as u64;
        let started = Instant::now();
        let read = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(false),
            read = timeout(pace.patience(), read_some(&mut self.stream, buffer, size, size)) => read,
        };
        let bytes = match read {
            Ok(Ok(0)) => return Err(ReadError::CutShort(usize::try_from(received).unwrap_or(usize::MAX))),
            Ok(bytes) => bytes?,
            Err(_) => 0,
        };
        match pace.is_kept(bytes, started.elapsed()) {
            true => Ok(true),
            false => Err(ReadError::TooSlow { min_rate: self.settings.min_rate, received }),
        }
    }
}
