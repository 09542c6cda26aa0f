//! Reading through gzip and Zstandard, with the memory of one window.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;

use super::compression::InflateError;
use super::zstd_frames::ZstdFrames;
use crate::chunk::Encoding;

/// Inflates what it reads: several gzip members or Zstandard frames, one after the other. Nothing at all inflates to
/// nothing; plain bytes stay as they are.
///
/// Where the source has nothing for the moment ([`io::ErrorKind::WouldBlock`]) so does this, and it goes on when there
/// is more.
pub struct Inflating<R: BufRead>(Kind<R>);

enum Kind<R: BufRead> {
    /// Nothing was read yet: an empty source must not look like a cut one.
    Unread(Encoding, Option<R>),
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(ZstdFrames<R>),
}

impl<R: BufRead> Inflating<R> {
    /// Reads `source`, which is encoded like this.
    pub fn new(encoding: Encoding, source: R) -> Self {
        Self(Kind::Unread(encoding, Some(source)))
    }

    /// Where the compressed bytes come from.
    pub fn source(&mut self) -> Option<&mut R> {
        match &mut self.0 {
            Kind::Unread(_, source) => source.as_mut(),
            Kind::Plain(source) => Some(source),
            Kind::Gzip(decoder) => Some(decoder.get_mut()),
            Kind::Zstd(frames) => Some(frames.get_mut()),
        }
    }

    /// As [`Read::read`], with an error that says what is wrong with the data. `None`: the source has nothing for the
    /// moment.
    ///
    /// # Errors
    ///
    /// [`InflateError::Corrupt`] where a member is damaged, cut short, or followed by something else, and where the
    /// source itself fails.
    pub fn inflate(&mut self, out: &mut [u8]) -> Result<Option<usize>, InflateError> {
        match self.read(out) {
            Ok(count) => Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    /// What an error of [`Read::read`] says about the data.
    pub(super) fn fault(&self, error: io::Error) -> InflateError {
        InflateError::Corrupt(match (error.kind(), &self.0) {
            (io::ErrorKind::UnexpectedEof, Kind::Zstd(_)) => "it ends inside a Zstandard frame".to_owned(),
            (io::ErrorKind::UnexpectedEof, _) => "it ends inside a gzip member".to_owned(),
            _ => error.to_string(),
        })
    }
}

impl<R: BufRead> Read for Inflating<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Kind::Unread(encoding, unread) = &mut self.0 {
            let Some(mut source) = unread.take() else { return Err(io::ErrorKind::InvalidData.into()) };
            match source.fill_buf() {
                Ok([]) => {
                    *unread = Some(source);
                    return Ok(0);
                }
                Err(error) => {
                    *unread = Some(source);
                    return Err(error);
                }
                Ok(_) => {}
            }
            self.0 = match encoding {
                Encoding::Plain => Kind::Plain(source),
                Encoding::Gzip => Kind::Gzip(Box::new(MultiGzDecoder::new(source))),
                Encoding::Zstd => Kind::Zstd(ZstdFrames::new(source)?),
            };
        }
        match &mut self.0 {
            Kind::Unread(..) => Ok(0),
            Kind::Plain(source) => source.read(out),
            Kind::Gzip(decoder) => decoder.read(out),
            Kind::Zstd(frames) => frames.read(out),
        }
    }
}

impl<R: BufRead> std::fmt::Debug for Inflating<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Inflating")
    }
}

/// Compressed bytes that are given a part at a time.
#[derive(Debug, Default)]
pub struct Parts {
    part: Vec<u8>,
    at: usize,
    is_over: bool,
}

impl Parts {
    /// Goes on with a part. The one before must have been read.
    pub fn give(&mut self, part: &[u8]) {
        self.part.clear();
        self.part.extend_from_slice(part);
        self.at = 0;
    }

    /// There are no more parts.
    pub fn end(&mut self) {
        self.is_over = true;
    }
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = self.fill_buf()?;
        let count = rest.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Parts {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &self.part[self.at..] {
            [] if !self.is_over => Err(io::ErrorKind::WouldBlock.into()),
            rest => Ok(rest),
        }
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.part.len());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::compression::inflate;

    fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Plain => bytes.to_vec(),
            Encoding::Zstd => zstd::stream::encode_all(bytes, 1).unwrap(),
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    /// Gives the bytes in parts of these lengths, the rest at once.
    fn in_parts(encoding: Encoding, mut bytes: &[u8], lengths: &[usize]) -> Result<Vec<u8>, InflateError> {
        let mut inflating = Inflating::new(encoding, Parts::default());
        let mut inflated = Vec::new();
        let mut lengths = lengths.iter().copied();
        let mut out = [0; 100];
        loop {
            match inflating.inflate(&mut out)? {
                Some(0) => return Ok(inflated),
                Some(count) => inflated.extend_from_slice(&out[..count]),
                None if bytes.is_empty() => inflating.source().unwrap().end(),
                None => {
                    let (part, rest) = bytes.split_at(lengths.next().unwrap_or(usize::MAX).min(bytes.len()));
                    inflating.source().unwrap().give(part);
                    bytes = rest;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn parts_inflate_to_the_same_as_the_whole(
            members in proptest::collection::vec(proptest::collection::vec(0..4u8, 0..2000), 0..4),
            lengths in proptest::collection::vec(1..60usize, 0..200),
            damage in proptest::option::of((any::<usize>(), 1..255u8)),
            cut in any::<usize>(),
        ) {
            for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
                let mut bytes: Vec<u8> = members.iter().flat_map(|member| compress(encoding, member)).collect();
                if let Some((at, bits)) = damage && !bytes.is_empty() {
                    let at = at % bytes.len();
                    bytes[at] ^= bits;
                    bytes.truncate(bytes.len() - cut % (bytes.len() / 4 + 1));
                }
                let mut whole = Vec::new();
                let expected = inflate(encoding, &bytes, 1 << 20, &mut whole).is_ok();
                let parts = in_parts(encoding, &bytes, &lengths);
                prop_assert_eq!(parts.is_ok(), expected, "{:?}", parts);
                if expected {
                    prop_assert_eq!(parts.unwrap(), whole);
                }
            }
        }
    }
}
