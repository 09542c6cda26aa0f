//! Reading through Zstandard frames, and holding each to the size that it names.

use std::io::{self, BufRead, Read};

use zstd::stream::raw::{DParameter, Decoder, Operation};
use zstd::zstd_safe::get_frame_content_size;

/// Bytes of memory, as a power of two, that a frame may ask for its window: what every decoder must support (RFC 8878),
/// and what its own tools write below their `--ultra` levels.
pub(super) const MAX_WINDOW_LOG: u32 = 23;

/// Bytes of the longest frame header: magic, descriptor, window, dictionary id, content size (RFC 8878, 3.1.1).
const LONGEST_HEADER: usize = 4 + 1 + 1 + 4 + 8;

/// Inflates one frame after the other.
///
/// libzstd compares the size that a frame's header names with what the frame holds in some of its ways to decode and not
/// in others. So that a message is judged alike whole and in parts, here and behind the next server, it is always done.
pub(super) struct ZstdFrames<R> {
    source: R,
    decoder: Decoder<'static>,
    frame: Option<Frame>,
    /// The last call filled what it was given, so there may be more without any input.
    may_hold_more: bool,
}

/// The frame that is being read.
#[derive(Default)]
struct Frame {
    header: [u8; LONGEST_HEADER],
    header_length: usize,
    inflated: u64,
}

impl<R: BufRead> ZstdFrames<R> {
    pub(super) fn new(source: R) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
        Ok(Self { source, decoder, frame: None, may_hold_more: false })
    }

    pub(super) fn get_mut(&mut self) -> &mut R {
        &mut self.source
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let input = if self.may_hold_more { &[] } else { self.source.fill_buf()? };
            if input.is_empty() && !self.may_hold_more {
                return if self.frame.is_some() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) };
            }
            let frame = self.frame.get_or_insert_default();
            let status = self.decoder.run_on_buffers(input, out)?;
            frame.note(&input[..status.bytes_read], status.bytes_written);
            self.source.consume(status.bytes_read);
            self.may_hold_more = status.bytes_written == out.len();
            if status.remaining == 0 {
                frame.hold_to_its_size()?;
                self.frame = None;
                self.may_hold_more = false;
                self.decoder.reinit()?;
            }
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
    }
}

impl Frame {
    fn note(&mut self, read: &[u8], inflated: usize) {
        let missing = &mut self.header[self.header_length..];
        let count = missing.len().min(read.len());
        missing[..count].copy_from_slice(&read[..count]);
        self.header_length += count;
        self.inflated += inflated as u64;
    }

    fn hold_to_its_size(&self) -> io::Result<()> {
        match get_frame_content_size(&self.header[..self.header_length]) {
            Ok(Some(size)) if size != self.inflated => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a Zstandard frame names a size of {size} bytes and holds {}", self.inflated),
            )),
            Ok(_) => Ok(()),
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "a Zstandard frame's header does not decode"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Raw blocks of `content` and an empty last one, under a header that names the size `named`.
    fn frame(named: u8, content: &[u8]) -> Vec<u8> {
        let block = u32::try_from(content.len()).unwrap() << 3;
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, named], &block.to_le_bytes()[..3], content, &[1, 0, 0]].concat()
    }

    /// Reads through a buffer of `length` bytes, `at_once` bytes at a time.
    fn read(bytes: &[u8], length: usize, at_once: usize) -> io::Result<Vec<u8>> {
        let mut frames = ZstdFrames::new(io::BufReader::with_capacity(length, bytes))?;
        let mut inflated = Vec::new();
        let mut out = vec![0; at_once];
        loop {
            match frames.read(&mut out)? {
                0 => return Ok(inflated),
                count => inflated.extend_from_slice(&out[..count]),
            }
        }
    }

    #[test]
    fn a_frame_that_names_another_size_than_it_holds_is_refused_however_it_is_read() {
        for length in [1, 7, 1000] {
            for at_once in [1, 10, 1000] {
                assert_eq!(read(&frame(5, b"bytes"), length, at_once).unwrap(), b"bytes");
                for named in [0, 4, 6, 27] {
                    let refused = read(&frame(named, b"bytes"), length, at_once).unwrap_err();
                    assert_ne!(refused.kind(), io::ErrorKind::UnexpectedEof, "{named} {length} {at_once}");
                }
            }
        }
    }

    #[test]
    fn frames_with_and_without_a_size_follow_each_other_and_those_to_skip_are_skipped() {
        let mut without_size = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        without_size.write_all(&[b'a'; 100_000]).unwrap();
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0], &b"..."[..]].concat();
        let frames = [without_size.finish().unwrap(), skipped, frame(5, b"bytes"), frame(0, b"")].concat();
        for (length, at_once) in [(1, 1000), (1000, 1), (1 << 20, 1 << 20)] {
            assert_eq!(read(&frames, length, at_once).unwrap(), [&[b'a'; 100_000][..], b"bytes"].concat());
        }
    }
}
