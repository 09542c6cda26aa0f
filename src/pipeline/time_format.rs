//! How a time is written: strftime with Ruby's fractions of a second.

use std::fmt;

use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;

use super::template::SyntaxError;
use super::timestamp::nine_digits;
use crate::event_time::EventTime;

/// A strftime pattern and the zone that it is written in.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeFormat {
    text: String,
    zone: TimeZone,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// A strftime pattern that is the same all through a second.
    Seconds(String),
    /// So many digits of the nanoseconds.
    Fraction(usize),
}

/// What may follow a `%`, besides the fractions. Each of them can be written for any time in any zone.
const CONVERSIONS: &str = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%";

impl TimeFormat {
    /// Parses a strftime pattern; `%L` is milliseconds, `%N` nanoseconds, `%3N`, `%6N` and `%9N` so many digits of them.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, SyntaxError> {
        let mut parts = Vec::new();
        let mut seconds = String::new();
        let mut rest = text;
        while let Some(literal) = rest.find('%') {
            let at = text.len() - rest.len() + literal;
            seconds.push_str(&rest[..literal]);
            let conversion = Conversion::parse(&text[at..]).ok_or_else(|| {
                let length = text[at..].char_indices().nth(2).map_or(text.len() - at, |(length, _)| length);
                let conversion = &text[at..at + length];
                let message = format!(
                    "`{conversion}` is no conversion of a time: these are %L, %N, %3N, %6N, %9N and % with one of \
                     {CONVERSIONS} (a literal % is %%)"
                );
                SyntaxError { at: at..at + length, message }
            })?;
            match conversion.digits {
                Some(digits) => {
                    if !seconds.is_empty() {
                        parts.push(Part::Seconds(std::mem::take(&mut seconds)));
                    }
                    parts.push(Part::Fraction(digits));
                }
                None => seconds.push_str(&text[at..at + conversion.length]),
            }
            rest = &text[at + conversion.length..];
        }
        seconds.push_str(rest);
        if !seconds.is_empty() {
            parts.push(Part::Seconds(seconds));
        }
        if parts.is_empty() {
            let message = "the time format is empty: write it as %Y-%m-%dT%H:%M:%S.%L%:z".to_owned();
            return Err(SyntaxError { at: 0..0, message });
        }
        Ok(Self { text: text.to_owned(), zone, parts })
    }

    /// The zone that times are written in.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Conversion {
    length: usize,
    /// Of a fraction of the second: how much of it.
    digits: Option<usize>,
}

impl Conversion {
    /// Parses the conversion that the text begins with: `%`, flags of padding and case, colons for `%z`, a letter.
    fn parse(text: &str) -> Option<Self> {
        let body = text.strip_prefix('%')?;
        let named = body.trim_start_matches(['-', '_', '0', '^', '#']);
        let digit = named.chars().next().and_then(|digit| digit.to_digit(10));
        let flags = body.len() - named.len();
        if flags == 0 && named.starts_with('L') {
            return Some(Self { length: 2, digits: Some(3) });
        }
        if flags == 0 && named.starts_with('N') {
            return Some(Self { length: 2, digits: Some(9) });
        }
        if let Some(digits @ (3 | 6 | 9)) = digit {
            return (flags == 0 && named[1..].starts_with('N'))
                .then_some(Self { length: 3, digits: Some(digits as usize) });
        }
        let letter = named.trim_start_matches(':');
        let colons = named.len() - letter.len();
        let known = match letter.chars().next()? {
            'z' => colons <= 3,
            letter => colons == 0 && CONVERSIONS.contains(letter),
        };
        known.then_some(Self { length: text.len() - letter.len() + 1, digits: None })
    }
}

/// Writes times in one format; remembers the text of the last second, of which only fractions are written anew.
#[derive(Debug, Clone)]
pub struct TimeWriter {
    format: TimeFormat,
    second: Option<i64>,
    text: Vec<u8>,
    /// Where the fractions stand in the text, and their digits.
    fractions: Vec<(usize, usize)>,
}

impl TimeWriter {
    /// A writer that remembers nothing yet.
    pub fn new(format: &TimeFormat) -> Self {
        Self { format: format.clone(), second: None, text: Vec::new(), fractions: Vec::new() }
    }

    /// The text of a time.
    pub fn format(&mut self, time: EventTime) -> &[u8] {
        if self.second != Some(time.seconds()) {
            self.format_second(time);
        }
        for &(start, digits) in &self.fractions {
            self.text[start..start + digits].copy_from_slice(&nine_digits(time.nanoseconds())[..digits]);
        }
        &self.text
    }

    fn format_second(&mut self, time: EventTime) {
        let config = Config::new().custom(PosixCustom::new()).lenient(true);
        let broken_down = BrokenDownTime::from(&time.timestamp().to_zoned(self.format.zone.clone()));
        self.text.clear();
        self.fractions.clear();
        for part in &self.format.parts {
            match part {
                Part::Seconds(pattern) => broken_down
                    .format_with_config(&config, pattern, &mut self.text)
                    .expect("lenient formatting into memory has nothing to fail at"),
                Part::Fraction(digits) => {
                    self.fractions.push((self.text.len(), *digits));
                    self.text.resize(self.text.len() + digits, b'0');
                }
            }
        }
        self.second = Some(time.seconds());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str, zone: &str) -> TimeFormat {
        let format = TimeFormat::parse(text, TimeZone::get(zone).unwrap()).unwrap();
        assert_eq!(format.to_string(), text);
        format
    }

    fn written(text: &str, zone: &str, seconds: i64, nanoseconds: u32) -> String {
        let time = EventTime::new(seconds, nanoseconds).unwrap();
        String::from_utf8(TimeWriter::new(&format(text, zone)).format(time).to_vec()).unwrap()
    }

    #[test]
    fn fractions_are_those_of_ruby() {
        let text = |format| written(format, "UTC", 1_771_322_400, 123_456_789);
        assert_eq!(text("%Y-%m-%dT%H:%M:%S.%LZ"), "2026-02-17T10:00:00.123Z");
        assert_eq!(text("%N %3N %6N %9N %L"), "123456789 123 123456 123456789 123");
        assert_eq!(text("%s.%L"), "1771322400.123");
        assert_eq!(text("100%% %-d %e 時"), "100% 17 17 時");
        assert_eq!(text("%c"), "Tue Feb 17 10:00:00 2026");
    }

    #[test]
    fn the_zone_moves_the_clock() {
        assert_eq!(written("%H:%M %z %:z %Z", "Asia/Tokyo", 1_771_322_400, 0), "19:00 +0900 +09:00 JST");
    }

    #[test]
    fn a_remembered_second_gives_the_same_as_a_fresh_one() {
        let format = format("%N %S %L", "UTC");
        let mut writer = TimeWriter::new(&format);
        for (seconds, nanoseconds) in [(5, 1), (5, 999_999_999), (5, 0), (6, 20_000_000), (5, 3)] {
            let time = EventTime::new(seconds, nanoseconds).unwrap();
            assert_eq!(writer.format(time), TimeWriter::new(&format).format(time));
        }
    }

    #[test]
    fn every_known_conversion_works_at_the_ends_of_the_calendar() {
        let ends = [jiff::Timestamp::MIN.as_second(), -1, 0, jiff::Timestamp::MAX.as_second() - 1];
        for letter in CONVERSIONS.chars() {
            for zone in ["UTC", "Asia/Tokyo", "America/St_Johns"] {
                for seconds in ends {
                    let text = written(&format!("%{letter}"), zone, seconds, 0);
                    assert!(
                        !text.is_empty() && (letter == '%' || !text.contains('%')),
                        "%{letter} in {zone}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn unknown_conversions_are_refused_where_they_stand() {
        for (text, at) in [
            ("%Q", 0..2),
            ("%Y-%1N", 3..5),
            ("%Y %", 3..4),
            ("%é", 0..3),
            ("%:Y", 0..2),
            ("%f", 0..2),
            ("%10Y", 0..2),
        ] {
            let error = TimeFormat::parse(text, TimeZone::UTC).unwrap_err();
            assert_eq!(error.at, at, "{text}");
            assert!(error.message.contains("%L"), "{error}");
        }
        assert!(TimeFormat::parse("", TimeZone::UTC).is_err());
    }
}
