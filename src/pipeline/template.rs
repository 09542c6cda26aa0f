//! `{field}`, `{tag[1]}`, `{@received_at}` and `%Y` in configuration values.

use std::ops::Range;

/// A mistake in a value of the little languages that configurations are written in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The bytes of the value at fault.
    pub at: Range<usize>,
    /// What is wrong and what is expected instead.
    pub message: String,
}

/// A value that a filter writes: a constant, or text with placeholders.
#[derive(Debug, Clone)]
pub struct ValueTemplate {}

impl ValueTemplate {
    /// Parses text with placeholders.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        todo!()
    }

    /// A constant that is not a string, as msgpack.
    pub fn constant(_msgpack: Vec<u8>) -> Self {
        todo!()
    }
}

/// The path of a file output, with placeholders and strftime conversions.
#[derive(Debug, Clone)]
pub struct PathTemplate {}

impl PathTemplate {
    /// Parses a path with placeholders.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        todo!()
    }
}
