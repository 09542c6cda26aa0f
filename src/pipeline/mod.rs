//! From a journalled chunk to events for an output: filters, routing, templates.
//!
//! Everything here is a pure function of the chunk: it asks no clock, no disk and no network, so that reading the
//! same chunk again gives the same bytes.

pub mod characters;
pub mod condition;
pub mod event;
mod explain;
pub mod field_cipher;
pub mod field_path;
mod filter;
mod fork;
pub mod json;
pub mod level;
mod metadata;
mod nested;
pub mod ownership;
pub mod patterns;
mod pipelines;
pub mod record;
mod records;
#[cfg(feature = "remap")]
pub mod remap;
mod route;
pub mod selector;
mod tag_decisions;
pub mod tag_pattern;
pub mod template;
pub mod throttle_state;
pub mod time_format;
pub mod time_source;
pub mod timestamp;
mod trial;
mod walk;

pub use event::{Event, Source};
pub use explain::{Answer, Change, Explanation, FilterAnswer, OutputAnswer, Target, explain};
pub use metadata::OpenGroup;
pub use ownership::{Disowned, Reason};
pub use record::{RecordField, RecordFields};
pub use selector::{Pipeline, Selector, Tally};
pub use trial::Trial;
