//! Fluentd's patterns over tags: `*`, `**`, `{a,b}`, several separated by spaces.

use super::template::SyntaxError;

/// One or more patterns; a tag matches if any of them does.
#[derive(Debug, Clone)]
pub struct TagPatterns {}

impl TagPatterns {
    /// Parses patterns separated by spaces.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        todo!()
    }

    /// Whether any of the patterns takes this tag.
    pub fn matches(&self, _tag: &str) -> bool {
        todo!()
    }
}
