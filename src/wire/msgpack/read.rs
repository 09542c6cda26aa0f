//! Reading one value, or the head of one container.

use super::MsgpackError;

/// One value; of a container only its head, its elements follow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    Nil,
    Bool(bool),
    /// Any integer that is not negative.
    Unsigned(u64),
    /// An integer below zero.
    Negative(i64),
    F32(f32),
    F64(f64),
    /// Text by name; any bytes in practice.
    Str(&'a [u8]),
    Bin(&'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many pairs of values follow.
    Map(u32),
    /// An application's own type, and its data.
    Ext(i8, &'a [u8]),
}

impl<'a> Token<'a> {
    /// The bytes of a `str` or `bin`.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Str(bytes) | Self::Bin(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads the value that begins at `*at` and moves `*at` behind it (behind the head of an array or map).
///
/// # Errors
///
/// [`MsgpackError::Incomplete`] where the slice ends too early, and then `*at` has not moved;
/// [`MsgpackError::Reserved`] for the byte 0xc1.
#[inline]
pub fn read<'a>(bytes: &'a [u8], at: &mut usize) -> Result<Token<'a>, MsgpackError> {
    let mut cursor = Cursor { bytes, at: *at };
    let token = cursor.token()?;
    *at = cursor.at;
    Ok(token)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    fn token(&mut self) -> Result<Token<'a>, MsgpackError> {
        let marker = self.array::<1>()?[0];
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(u64::from(marker)),
            0x80..=0x8f => Token::Map(u32::from(marker & 0x0f)),
            0x90..=0x9f => Token::Array(u32::from(marker & 0x0f)),
            0xa0..=0xbf => Token::Str(self.take(usize::from(marker & 0x1f))?),
            0xc0 => Token::Nil,
            0xc1 => return Err(MsgpackError::Reserved { at: self.at - 1 }),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => Token::Bin(self.sized::<1>()?),
            0xc5 => Token::Bin(self.sized::<2>()?),
            0xc6 => Token::Bin(self.sized::<4>()?),
            0xc7 => self.ext::<1>()?,
            0xc8 => self.ext::<2>()?,
            0xc9 => self.ext::<4>()?,
            0xca => Token::F32(f32::from_be_bytes(self.array()?)),
            0xcb => Token::F64(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(u64::from(self.array::<1>()?[0])),
            0xcd => Token::Unsigned(u64::from(u16::from_be_bytes(self.array()?))),
            0xce => Token::Unsigned(u64::from(u32::from_be_bytes(self.array()?))),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => integer(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => integer(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => integer(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => integer(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => {
                let kind = i8::from_be_bytes(self.array()?);
                Token::Ext(kind, self.take(1 << (marker - 0xd4))?)
            }
            0xd9 => Token::Str(self.sized::<1>()?),
            0xda => Token::Str(self.sized::<2>()?),
            0xdb => Token::Str(self.sized::<4>()?),
            0xdc => Token::Array(u32::from(u16::from_be_bytes(self.array()?))),
            0xdd => Token::Array(u32::from_be_bytes(self.array()?)),
            0xde => Token::Map(u32::from(u16::from_be_bytes(self.array()?))),
            0xdf => Token::Map(u32::from_be_bytes(self.array()?)),
            0xe0..=0xff => Token::Negative(i64::from(marker as i8)),
        })
    }

    #[inline]
    fn ext<const N: usize>(&mut self) -> Result<Token<'a>, MsgpackError> {
        let length = self.length::<N>()?;
        let kind = i8::from_be_bytes(self.array()?);
        Ok(Token::Ext(kind, self.take(length)?))
    }

    #[inline]
    fn sized<const N: usize>(&mut self) -> Result<&'a [u8], MsgpackError> {
        let length = self.length::<N>()?;
        self.take(length)
    }

    #[inline]
    fn length<const N: usize>(&mut self) -> Result<usize, MsgpackError> {
        Ok(self.array::<N>()?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], MsgpackError> {
        let rest = self.bytes.get(self.at..).ok_or(MsgpackError::Incomplete)?;
        let array = *rest.first_chunk::<N>().ok_or(MsgpackError::Incomplete)?;
        self.at += N;
        Ok(array)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], MsgpackError> {
        let end = self.at.checked_add(length).ok_or(MsgpackError::Incomplete)?;
        let taken = self.bytes.get(self.at..end).ok_or(MsgpackError::Incomplete)?;
        self.at = end;
        Ok(taken)
    }
}

fn integer<'a>(value: i64) -> Token<'a> {
    match u64::try_from(value) {
        Ok(value) => Token::Unsigned(value),
        Err(_) => Token::Negative(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every marker with the smallest and the largest value that it holds.
    const VALUES: &[(&[u8], Token<'static>)] = &[
        (b"\x00", Token::Unsigned(0)),
        (b"\x7f", Token::Unsigned(127)),
        (b"\x80", Token::Map(0)),
        (b"\x8f", Token::Map(15)),
        (b"\x90", Token::Array(0)),
        (b"\x9f", Token::Array(15)),
        (b"\xa0", Token::Str(b"")),
        (b"\xa3abc", Token::Str(b"abc")),
        (b"\xc0", Token::Nil),
        (b"\xc2", Token::Bool(false)),
        (b"\xc3", Token::Bool(true)),
        (b"\xc4\x01\xff", Token::Bin(b"\xff")),
        (b"\xc5\x00\x01\xff", Token::Bin(b"\xff")),
        (b"\xc6\x00\x00\x00\x01\xff", Token::Bin(b"\xff")),
        (b"\xc7\x01\x05\xaa", Token::Ext(5, b"\xaa")),
        (b"\xc8\x00\x01\xff\xaa", Token::Ext(-1, b"\xaa")),
        (b"\xc9\x00\x00\x00\x01\x05\xaa", Token::Ext(5, b"\xaa")),
        (b"\xca\x3f\x80\x00\x00", Token::F32(1.0)),
        (b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", Token::F64(1.0)),
        (b"\xcc\xff", Token::Unsigned(255)),
        (b"\xcd\xff\xff", Token::Unsigned(65_535)),
        (b"\xce\xff\xff\xff\xff", Token::Unsigned(u32::MAX as u64)),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", Token::Unsigned(u64::MAX)),
        (b"\xd0\x80", Token::Negative(-128)),
        (b"\xd0\x7f", Token::Unsigned(127)),
        (b"\xd1\x80\x00", Token::Negative(-32_768)),
        (b"\xd2\x80\x00\x00\x00", Token::Negative(i32::MIN as i64)),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", Token::Negative(i64::MIN)),
        (b"\xd4\x00\x01", Token::Ext(0, b"\x01")),
        (b"\xd5\x00\x01\x02", Token::Ext(0, b"\x01\x02")),
        (b"\xd6\x00\x01\x02\x03\x04", Token::Ext(0, b"\x01\x02\x03\x04")),
        (b"\xd7\x00\x01\x02\x03\x04\x05\x06\x07\x08", Token::Ext(0, b"\x01\x02\x03\x04\x05\x06\x07\x08")),
        (b"\xd8\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Token::Ext(0, &[0; 16])),
        (b"\xd9\x01a", Token::Str(b"a")),
        (b"\xda\x00\x01a", Token::Str(b"a")),
        (b"\xdb\x00\x00\x00\x01a", Token::Str(b"a")),
        (b"\xdc\x00\x10", Token::Array(16)),
        (b"\xdd\xff\xff\xff\xff", Token::Array(u32::MAX)),
        (b"\xde\x00\x10", Token::Map(16)),
        (b"\xdf\xff\xff\xff\xff", Token::Map(u32::MAX)),
        (b"\xe0", Token::Negative(-32)),
        (b"\xff", Token::Negative(-1)),
    ];

    #[test]
    fn every_marker_reads() {
        for (bytes, token) in VALUES {
            let mut at = 0;
            assert_eq!(read(bytes, &mut at), Ok(*token), "{bytes:x?}");
            assert_eq!(at, bytes.len(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_value_cut_short_is_incomplete_and_not_consumed() {
        for (bytes, _) in VALUES {
            for length in 0..bytes.len() {
                let mut at = 0;
                assert_eq!(read(&bytes[..length], &mut at), Err(MsgpackError::Incomplete), "{bytes:x?}");
                assert_eq!(at, 0);
            }
        }
    }

    #[test]
    fn the_byte_that_msgpack_never_uses_is_refused() {
        assert_eq!(read(b"\x00\xc1", &mut 1), Err(MsgpackError::Reserved { at: 1 }));
    }

    #[test]
    fn a_length_of_four_gigabytes_reserves_nothing() {
        assert_eq!(read(b"\xdb\xff\xff\xff\xffabc", &mut 0), Err(MsgpackError::Incomplete));
    }
}
