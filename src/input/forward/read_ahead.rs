//! Reading a socket in large steps.
//!
//! rustls asks for 4 KiB at a time, and each of those would be a system call that costs as much as deciphering them does.

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read at once. A connection holds what of them was not asked for yet, and nothing while there is none:
/// most of ten thousand connections are idle.
const STEP: usize = 32 * 1024;

thread_local! {
    /// A buffer that no connection holds just now, for the next one that reads.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A stream that is read ahead of what is asked for; writing goes straight through.
#[derive(Debug)]
pub(super) struct ReadAhead<S> {
    stream: S,
    /// Where a read has gone; without memory while nothing of it is left.
    buffer: Vec<u8>,
    /// What of the buffer was read and not asked for yet.
    ahead: Range<usize>,
}

impl<S> ReadAhead<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), ahead: 0..0 }
    }

    /// Hands out of what was read ahead; its memory goes to the next reader with its last byte.
    fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = &self.buffer[self.ahead.clone()];
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.ahead.start += count;
        if self.ahead.is_empty() {
            SPARE.set(std::mem::take(&mut self.buffer));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            if buffer.remaining() >= STEP {
                return Pin::new(&mut self.stream).poll_read(context, buffer);
            }
            let mut landing = SPARE.take();
            landing.resize(STEP, 0);
            let mut landed = ReadBuf::new(&mut landing);
            let polled = Pin::new(&mut self.stream).poll_read(context, &mut landed);
            self.ahead = 0..landed.filled().len();
            if self.ahead.is_empty() {
                SPARE.set(landing);
                return polled;
            }
            self.buffer = landing;
        }
        self.hand_out(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What reads of these lengths give of a stream whose peer wrote these bytes and closed.
    async fn read_in(lengths: &[usize], bytes: &[u8]) -> (Vec<u8>, ReadAhead<tokio::io::DuplexStream>) {
        let (mut peer, stream) = duplex(bytes.len().max(1));
        peer.write_all(bytes).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut stream = ReadAhead::new(stream);
        let mut read = Vec::new();
        for length in lengths.iter().cycle() {
            let mut part = vec![0; *length];
            match stream.read(&mut part).await.unwrap() {
                0 => break,
                count => read.extend_from_slice(&part[..count]),
            }
        }
        (read, stream)
    }

    #[tokio::test]
    async fn every_byte_comes_once_and_in_order_whatever_is_asked_for() {
        let bytes: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
        for lengths in [&[1][..], &[4096], &[STEP - 1, 1], &[STEP], &[3, 2 * STEP, 5]] {
            let bytes = if lengths == [1] { &bytes[..1000] } else { &bytes[..] };
            assert_eq!(read_in(lengths, bytes).await.0, bytes, "in parts of {lengths:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_held_when_everything_was_asked_for() {
        let (read, stream) = read_in(&[7], &[1; 700]).await;
        assert_eq!((read.len(), stream.buffer.capacity()), (700, 0));
    }

    #[tokio::test]
    async fn what_is_written_goes_through() {
        let (mut peer, stream) = duplex(100);
        let mut stream = ReadAhead::new(stream);
        stream.write_all(b"ack").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"ack");
    }
}
