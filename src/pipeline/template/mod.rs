//! `{field}`, `{tag[1]}`, `{@received_at}` and `%Y` in configuration values.

mod path;
mod path_overlap;
mod path_parts;
mod path_sketch;
mod path_time;
mod path_value;
mod placeholder;
mod sender;
mod value;

use std::ops::Range;

pub use path::PathRenderer;
pub use path_parts::PathTemplate;
pub use path_value::{MAX_PATH_VALUE, path_value};
pub(super) use placeholder::{Placeholder, Resolved};
pub use sender::{Proof, SenderTemplate};
pub use value::{ValueRenderer, ValueTemplate};

/// A mistake in a value of the little languages that configurations are written in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The bytes of the value at fault.
    pub at: Range<usize>,
    /// What is wrong and what is expected instead.
    pub message: String,
}
