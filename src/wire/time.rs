//! Event times as peers write them.
//!
//! ```text
//! integer              seconds since the Unix epoch
//! ext type 0, 8 bytes  EventTime: seconds u32 big-endian, nanoseconds u32 big-endian (fixext8 or ext8)
//! float                seconds, sent by logger libraries though the specification knows no such time
//! nil, zero            the sender has no time: the time of receipt stands in
//! ```

use super::msgpack::{Token, write_u64};
use crate::event_time::{EventTime, NANOSECONDS_PER_SECOND};

/// The ext type of an EventTime.
pub(super) const EVENT_TIME: i8 = 0;

/// A time that is none: of another type, with two billion nanoseconds, or beyond any calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTime;

/// Reads a time. `Ok(None)` is nil or zero: the time of receipt stands in.
pub fn read_time(token: Token<'_>) -> Result<Option<EventTime>, BadTime> {
    let time = match token {
        Token::Nil | Token::Unsigned(0) => return Ok(None),
        Token::Unsigned(seconds) => {
            i64::try_from(seconds).ok().and_then(|seconds| EventTime::new(seconds, 0))
        }
        Token::Negative(seconds) => EventTime::new(seconds, 0),
        Token::F32(seconds) => return from_float(f64::from(seconds)),
        Token::F64(seconds) => return from_float(seconds),
        Token::Ext(EVENT_TIME, &[s0, s1, s2, s3, n0, n1, n2, n3]) => {
            let seconds = u32::from_be_bytes([s0, s1, s2, s3]);
            let nanoseconds = u32::from_be_bytes([n0, n1, n2, n3]);
            if (seconds, nanoseconds) == (0, 0) {
                return Ok(None);
            }
            EventTime::new(i64::from(seconds), nanoseconds)
        }
        _ => None,
    };
    time.map(Some).ok_or(BadTime)
}

fn from_float(seconds: f64) -> Result<Option<EventTime>, BadTime> {
    if seconds == 0.0 {
        return Ok(None);
    }
    let whole = seconds.floor();
    if !(-1e12..=1e12).contains(&whole) {
        return Err(BadTime);
    }
    let nanoseconds = ((seconds - whole) * f64::from(NANOSECONDS_PER_SECOND)) as u32;
    EventTime::new(whole as i64, nanoseconds.min(NANOSECONDS_PER_SECOND - 1)).map(Some).ok_or(BadTime)
}

/// Writes a time as EventTime, or as whole seconds where its 32 bits do not reach (before 1970, after 2106).
pub fn write_time(out: &mut Vec<u8>, time: EventTime) {
    match u32::try_from(time.seconds()) {
        Ok(seconds) => {
            out.extend_from_slice(&[0xd7, EVENT_TIME as u8]);
            out.extend_from_slice(&seconds.to_be_bytes());
            out.extend_from_slice(&time.nanoseconds().to_be_bytes());
        }
        Err(_) if time.seconds() > 0 => write_u64(out, time.seconds() as u64),
        Err(_) => super::msgpack::write_i64(out, time.seconds()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::msgpack::read;
    use super::*;

    fn time_of(bytes: &[u8]) -> Result<Option<EventTime>, BadTime> {
        read_time(read(bytes, &mut 0).unwrap())
    }

    #[test]
    fn integers_and_both_forms_of_event_time_read() {
        assert_eq!(time_of(b"\xce\x68\xe7\x78\x00"), Ok(EventTime::new(0x68e7_7800, 0)));
        let expected = Ok(EventTime::new(0x68e7_7800, 5));
        assert_eq!(time_of(b"\xd7\x00\x68\xe7\x78\x00\x00\x00\x00\x05"), expected);
        assert_eq!(time_of(b"\xc7\x08\x00\x68\xe7\x78\x00\x00\x00\x00\x05"), expected);
        assert_eq!(time_of(b"\xff"), Ok(EventTime::new(-1, 0)));
    }

    #[test]
    fn nil_and_zero_mean_the_time_of_receipt() {
        for bytes in [&b"\xc0"[..], b"\x00", b"\xd7\x00\0\0\0\0\0\0\0\0", b"\xcb\0\0\0\0\0\0\0\0"] {
            assert_eq!(time_of(bytes), Ok(None), "{bytes:x?}");
        }
    }

    #[test]
    fn floats_read_to_the_nanosecond_that_they_hold() {
        let bytes = [&[0xcb][..], &1_760_000_000.5f64.to_be_bytes()].concat();
        assert_eq!(time_of(&bytes), Ok(EventTime::new(1_760_000_000, 500_000_000)));
        for hostile in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -1e300] {
            let bytes = [&[0xcb][..], &hostile.to_be_bytes()].concat();
            assert_eq!(time_of(&bytes), Err(BadTime), "{hostile}");
        }
    }

    #[test]
    fn nanoseconds_are_below_a_second() {
        for head in [&b"\xd7\x00"[..], b"\xc7\x08\x00"] {
            for (nanoseconds, is_time) in
                [(999_999_999u32, true), (1_000_000_000, false), (2_000_000_000, false), (u32::MAX, false)]
            {
                let bytes = [head, &1u32.to_be_bytes(), &nanoseconds.to_be_bytes()].concat();
                let expected = if is_time { Ok(EventTime::new(1, nanoseconds)) } else { Err(BadTime) };
                assert_eq!(time_of(&bytes), expected, "{bytes:x?}");
            }
        }
    }

    #[test]
    fn floats_of_32_bits_read_and_minus_zero_is_zero() {
        assert_eq!(time_of(b"\xca\x3f\xc0\0\0"), Ok(EventTime::new(1, 500_000_000)));
        assert_eq!(time_of(b"\xca\x80\0\0\0"), Ok(None));
    }

    #[test]
    fn nanoseconds_of_two_billion_and_other_types_are_no_time() {
        assert_eq!(time_of(b"\xd7\x00\x68\xe7\x78\x00\x77\x35\x94\x00"), Err(BadTime));
        assert_eq!(time_of(b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), Err(BadTime));
        assert_eq!(time_of(b"\xa11"), Err(BadTime));
        assert_eq!(time_of(b"\xd7\x01\x68\xe7\x78\x00\x00\x00\x00\x05"), Err(BadTime));
    }

    #[test]
    fn times_read_back_as_written() {
        for (seconds, nanoseconds) in [(1, 0), (1_760_000_000, 123_456_789), (u32::MAX as i64, 1)] {
            let time = EventTime::new(seconds, nanoseconds).unwrap();
            let mut out = Vec::new();
            write_time(&mut out, time);
            assert_eq!(time_of(&out), Ok(Some(time)));
        }
        let mut out = Vec::new();
        write_time(&mut out, EventTime::new(-5, 7).unwrap());
        assert_eq!(time_of(&out), Ok(EventTime::new(-5, 0)));
    }
}
