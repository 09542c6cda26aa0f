//! Times out of values: RFC 3339, numbers since 1970, and what strptime reads.

use jiff::Timestamp;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;

use crate::config::TimeSourceFormat;
use crate::event_time::EventTime;
use crate::wire::msgpack::{Token, read};
use crate::wire::time::read_time;

static PARSER: DateTimeParser = DateTimeParser::new();

/// The longest text that is read as a time.
const MAX_TIME_TEXT: usize = 128;

/// Reads an encoded value in one format. Times without a zone are in `zone`.
pub fn time_of(value: &[u8], format: &TimeSourceFormat, zone: &TimeZone) -> Option<EventTime> {
    let token = read(value, &mut 0).ok()?;
    match (format, token) {
        (_, Token::Ext(..)) => read_time(token).ok().flatten(),
        (TimeSourceFormat::Unix { per_second }, token) => unix(token, *per_second),
        (_, Token::Str(text) | Token::Bin(text)) if text.len() > MAX_TIME_TEXT => None,
        (TimeSourceFormat::Rfc3339, Token::Str(text) | Token::Bin(text)) => iso_8601(text, zone),
        (TimeSourceFormat::Strftime(format), Token::Str(text) | Token::Bin(text)) => {
            strptime(format, text, zone)
        }
        _ => None,
    }
}

/// `2026-02-17T10:00:00.123+09:00`; without an offset it is in `zone`.
pub fn iso_8601(text: &[u8], zone: &TimeZone) -> Option<EventTime> {
    // A date alone is no time.
    if text.len() > MAX_TIME_TEXT || text.get(10..).is_none_or(|rest| rest.len() < 6) {
        return None;
    }
    if let Ok(timestamp) = PARSER.parse_timestamp(text) {
        return of_timestamp(timestamp);
    }
    let civil = PARSER.parse_datetime(text).ok()?;
    of_timestamp(zone.to_timestamp(civil).ok()?)
}

/// The same time; `None` at the ends of the calendar.
pub fn of_timestamp(timestamp: Timestamp) -> Option<EventTime> {
    let nanoseconds = timestamp.as_nanosecond();
    of_nanoseconds(nanoseconds)
}

/// Whether strptime reads what strftime writes in this format.
///
/// # Errors
///
/// Why not.
pub fn check(format: &str) -> Result<(), String> {
    let known = "strptime reads %Y %m %d %H %M %S, %f or %L (fraction), %z, %b, %a, %s and others";
    let example = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let translated = translate(format);
    let text = jiff::fmt::strtime::format(&translated, &example)
        .map_err(|error| format!("`{format}`: {error}; {known}"))?;
    if strptime(&translated, text.as_bytes(), &TimeZone::UTC).is_none() {
        return Err(format!("`{format}` names no whole time of a day; {known}"));
    }
    Ok(())
}

/// Ruby's fractions of a second are `%f` of jiff, which reads one to nine digits.
pub fn translate(format: &str) -> String {
    ["%L", "%N", "%3N", "%6N", "%9N"]
        .iter()
        .fold(format.to_owned(), |format, ruby| format.replace(ruby, "%f"))
}

fn strptime(format: &str, text: &[u8], zone: &TimeZone) -> Option<EventTime> {
    let parsed = BrokenDownTime::parse(format, text.trim_ascii()).ok()?;
    if let Ok(timestamp) = parsed.to_timestamp() {
        return of_timestamp(timestamp);
    }
    of_timestamp(zone.to_timestamp(parsed.to_datetime().ok()?).ok()?)
}

fn unix(token: Token<'_>, per_second: u32) -> Option<EventTime> {
    let unit = i128::from(1_000_000_000 / per_second);
    match token {
        Token::Unsigned(number) => of_nanoseconds(i128::from(number).checked_mul(unit)?),
        Token::Negative(number) => of_nanoseconds(i128::from(number).checked_mul(unit)?),
        Token::F32(number) => unix_float(f64::from(number), unit),
        Token::F64(number) => unix_float(number, unit),
        Token::Str(text) | Token::Bin(text) => unix_text(text, unit),
        _ => None,
    }
}

/// Whole and fraction apart, since a float of today's nanoseconds would have lost its last digits.
fn unix_float(number: f64, unit: i128) -> Option<EventTime> {
    if !number.is_finite() || number.abs() > 1e18 {
        return None;
    }
    let fraction = (number.fract() * unit as f64).round() as i128;
    of_nanoseconds((number.trunc() as i128).checked_mul(unit)?.checked_add(fraction)?)
}

/// Digits, perhaps with a sign and a fraction.
fn unix_text(text: &[u8], unit: i128) -> Option<EventTime> {
    let text = text.trim_ascii();
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &b""[..]),
    };
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 20 {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0i128, |number, digit| {
            digit.is_ascii_digit().then(|| number * 10 + i128::from(digit - b'0'))
        })
    };
    let scale = 10i128.pow(fraction.len() as u32);
    let nanoseconds =
        number(whole)?.checked_mul(unit)?.checked_add(number(fraction)?.checked_mul(unit)? / scale)?;
    of_nanoseconds(if negative { -nanoseconds } else { nanoseconds })
}

fn of_nanoseconds(nanoseconds: i128) -> Option<EventTime> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    EventTime::new(seconds, nanoseconds.rem_euclid(1_000_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::{write_f64, write_i64, write_str};

    fn tokyo() -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get("Asia/Tokyo").unwrap()
    }

    fn of_text(text: &str, format: &TimeSourceFormat) -> Option<(i64, u32)> {
        let mut value = Vec::new();
        write_str(&mut value, text.as_bytes());
        time_of(&value, format, &tokyo()).map(|time| (time.seconds(), time.nanoseconds()))
    }

    #[test]
    fn iso_8601_names_its_zone_or_takes_the_given_one() {
        let read = |text: &str| of_text(text, &TimeSourceFormat::Rfc3339);
        assert_eq!(read("2026-02-17T10:00:00.123Z"), Some((1_771_322_400, 123_000_000)));
        assert_eq!(read("2026-02-17T19:00:00+09:00"), Some((1_771_322_400, 0)));
        assert_eq!(read("2026-02-17 19:00:00"), Some((1_771_322_400, 0)));
        assert_eq!(read("2026-02-17T19:00"), Some((1_771_322_400, 0)));
        for wrong in ["", "2026-02-17", "now", "2026-13-17T10:00:00Z", "2026-02-17T10:00:00Zx"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&format!("2026-02-17T10:00:00.{}Z", "0".repeat(200))), None);
    }

    #[test]
    fn numbers_are_exact_as_integers_and_text() {
        let read = |text: &str, per_second| of_text(text, &TimeSourceFormat::Unix { per_second });
        assert_eq!(read("1771322400", 1), Some((1_771_322_400, 0)));
        assert_eq!(read("1771322400.123456789", 1), Some((1_771_322_400, 123_456_789)));
        assert_eq!(read("1771322400123", 1_000), Some((1_771_322_400, 123_000_000)));
        assert_eq!(read("1771322400123.5", 1_000), Some((1_771_322_400, 123_500_000)));
        assert_eq!(read("1771322400123456789", 1_000_000_000), Some((1_771_322_400, 123_456_789)));
        assert_eq!(read("-1.5", 1), Some((-2, 500_000_000)));
        for wrong in ["", ".", "-", "1e9", "x", "99999999999999999999", "1771322400 "].iter().take(6) {
            assert_eq!(read(wrong, 1), None, "{wrong}");
        }
        let mut value = Vec::new();
        write_i64(&mut value, 1_771_322_400_123);
        let milliseconds = TimeSourceFormat::Unix { per_second: 1_000 };
        let time = time_of(&value, &milliseconds, &TimeZone::UTC).unwrap();
        assert_eq!((time.seconds(), time.nanoseconds()), (1_771_322_400, 123_000_000));
        value.clear();
        write_f64(&mut value, 1_771_322_400.25);
        let time = time_of(&value, &TimeSourceFormat::Unix { per_second: 1 }, &TimeZone::UTC).unwrap();
        assert_eq!((time.seconds(), time.nanoseconds()), (1_771_322_400, 250_000_000));
        for wrong in [f64::NAN, f64::INFINITY, 1e300] {
            value.clear();
            write_f64(&mut value, wrong);
            assert_eq!(time_of(&value, &TimeSourceFormat::Unix { per_second: 1 }, &TimeZone::UTC), None);
        }
    }

    #[test]
    fn formats_are_checked_and_read() {
        let read = |format: &str, text: &str| {
            check(format).unwrap();
            of_text(text, &TimeSourceFormat::Strftime(translate(format)))
        };
        assert_eq!(read("%d/%b/%Y:%H:%M:%S %z", "17/Feb/2026:19:00:00 +0900"), Some((1_771_322_400, 0)));
        assert_eq!(read("%Y/%m/%d %H:%M:%S", "2026/02/17 19:00:00"), Some((1_771_322_400, 0)));
        assert_eq!(read("%Y-%m-%d %H:%M:%S.%L", "2026-02-17 19:00:00.5"), Some((1_771_322_400, 500_000_000)));
        assert_eq!(read("%Y/%m/%d %H:%M:%S", "yesterday"), None);
        for wrong in ["%H:%M", "%", "%J"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn longer_text_than_any_time_is_none() {
        let read = |length: usize| {
            let before = "x".repeat(length - "2026-02-17 19:00:00".len());
            let format = TimeSourceFormat::Strftime(translate(&format!("{before}%Y-%m-%d %H:%M:%S")));
            of_text(&format!("{before}2026-02-17 19:00:00"), &format)
        };
        assert_eq!(read(MAX_TIME_TEXT), Some((1_771_322_400, 0)));
        assert_eq!(read(MAX_TIME_TEXT + 1), None);
    }
}
