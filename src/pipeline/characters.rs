//! Sets of characters that a path may hold: `a-zA-Z0-9._-`.

use super::template::SyntaxError;

/// A set of ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharacterSet {}

impl CharacterSet {
    /// Parses ranges and single characters, as between the brackets of a regular expression.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        todo!()
    }
}
