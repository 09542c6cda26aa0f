//! How a time is written: strftime with Ruby's fractions of a second.

use super::template::SyntaxError;

/// A strftime pattern and the zone that it is written in.
#[derive(Debug, Clone)]
pub struct TimeFormat {}

impl TimeFormat {
    /// Parses a strftime pattern; `%L`, `%N`, `%3N`, `%6N` and `%9N` are fractions of the second.
    pub fn parse(_text: &str, _zone: jiff::tz::TimeZone) -> Result<Self, SyntaxError> {
        todo!()
    }
}
