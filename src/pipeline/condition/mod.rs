//! `where`: conditions on events, a small language of its own.
//!
//! ```text
//! level in ['ERROR', 'FATAL'] and status >= 500
//! not (tag[0] = "nginx" or exists(trace.id)) and message matches /time(d )?out/i
//! ```
//!
//! ```text
//! expression = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | "(" expression ")" | test
//! test       = "exists" "(" field ")"
//!            | operand "is" [ "not" ] type
//!            | operand ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) operand
//!            | operand [ "not" ] "in" "[" literal { "," literal } "]"
//!            | operand ( "contains" | "starts_with" | "ends_with" ) operand
//!            | operand "matches" "/" regex "/" [ "i" ]
//! operand    = field | "tag" | "tag[1]" | "@sender" … | literal
//! literal    = 'text' | "text" | 500 | -0.5 | true | false | null
//! type       = "string" | "number" | "integer" | "boolean" | "null" | "array" | "map"
//! ```
//!
//! Three rules say what a test means in odd cases:
//!
//! * A test of something that is missing is false, `!=`, `not in` and `is not` as well. `not` turns that round.
//! * A number and text that is one compare as numbers, since logs are full of `"status": "200"`. Otherwise values of
//!   different types are never equal, and neither is less than the other.
//! * Text compares byte by byte, and of a `bin` the bytes are text.

mod evaluate;
mod expression;
mod lexer;
mod parser;
mod value;

use std::fmt;
use std::sync::Arc;

use expression::Expression;

use super::event::Event;
use super::template::SyntaxError;

/// Bytes of the longest condition.
pub const MAX_CONDITION: usize = 64 * 1024;

/// How deep parentheses and `not` may be nested.
pub const MAX_NESTING: usize = 64;

/// A condition that was read and checked; cheap to clone.
#[derive(Debug, Clone)]
pub struct Condition {
    parsed: Arc<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    text: String,
    expression: Expression,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// The first mistake, with the bytes where it stands: in the grammar, in the types (`@time > 5`, `true < 3`), in a
    /// regular expression, and what is longer than [`MAX_CONDITION`] or deeper than [`MAX_NESTING`].
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        if text.len() > MAX_CONDITION {
            let message = format!("a condition has at most {MAX_CONDITION} bytes");
            return Err(SyntaxError { at: 0..text.len(), message });
        }
        let parsed = Parsed { text: text.to_owned(), expression: parser::parse(text)? };
        Ok(Self { parsed: Arc::new(parsed) })
    }

    /// Whether the condition holds for an event. Nothing is allocated for it.
    #[inline]
    pub fn holds(&self, event: &Event<'_>) -> bool {
        self.parsed.expression.holds(event)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.parsed.text)
    }
}

#[cfg(test)]
mod tests;
