//! Times as RFC 3339 writes them, in UTC.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::event_time::EventTime;

/// How much of the second is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fraction {
    Milliseconds,
    Nanoseconds,
}

/// Appends `2026-02-17T10:00:00.123Z`.
pub fn write_timestamp(out: &mut Vec<u8>, time: EventTime, fraction: Fraction) {
    let civil = Offset::UTC.to_datetime(time.timestamp());
    write_year(out, &civil);
    for (before, number) in [
        (b'-', civil.month()),
        (b'-', civil.day()),
        (b'T', civil.hour()),
        (b':', civil.minute()),
        (b':', civil.second()),
    ] {
        out.push(before);
        write_two_digits(out, number);
    }
    out.push(b'.');
    let digits = match fraction {
        Fraction::Milliseconds => 3,
        Fraction::Nanoseconds => 9,
    };
    out.extend_from_slice(&nine_digits(time.nanoseconds())[..digits]);
    out.push(b'Z');
}

/// Appends four digits, behind a `-` where the year is before the year 0.
pub(super) fn write_year(out: &mut Vec<u8>, civil: &DateTime) {
    if civil.year() < 0 {
        out.push(b'-');
    }
    let year = civil.year().unsigned_abs();
    write_two_digits(out, (year / 100) as i8);
    write_two_digits(out, (year % 100) as i8);
}

/// Appends a number from 0 to 99.
pub(super) fn write_two_digits(out: &mut Vec<u8>, number: i8) {
    let number = number.unsigned_abs();
    out.extend_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
}

/// The nanoseconds of a second with their leading zeros.
pub(super) fn nine_digits(nanoseconds: u32) -> [u8; 9] {
    let mut text = [b'0'; 9];
    let mut rest = nanoseconds;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(seconds: i64, nanoseconds: u32, fraction: Fraction) -> String {
        let mut out = Vec::new();
        write_timestamp(&mut out, EventTime::new(seconds, nanoseconds).unwrap(), fraction);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fractions_are_cut_and_never_rounded_up() {
        let nanoseconds = 123_999_999;
        assert_eq!(written(1_771_322_400, nanoseconds, Fraction::Milliseconds), "2026-02-17T10:00:00.123Z");
        assert_eq!(
            written(1_771_322_400, nanoseconds, Fraction::Nanoseconds),
            "2026-02-17T10:00:00.123999999Z"
        );
    }

    #[test]
    fn every_time_has_a_text() {
        assert_eq!(written(-1, 5, Fraction::Nanoseconds), "1969-12-31T23:59:59.000000005Z");
        assert_eq!(written(-62_200_000_000, 0, Fraction::Milliseconds), "-0002-12-17T14:13:20.000Z");
        assert!(
            written(jiff::Timestamp::MAX.as_second() - 1, 0, Fraction::Milliseconds).starts_with("9999-")
        );
    }
}
