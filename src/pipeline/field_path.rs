//! The name of a field: `status`, `request.headers.host`.

use super::template::SyntaxError;

/// The keys that lead to a field, outermost first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {}

impl FieldPath {
    /// Parses `a.b.c`; a backslash makes the next dot part of a key.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        todo!()
    }
}
