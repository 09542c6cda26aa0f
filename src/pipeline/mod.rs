//! From a journalled chunk to events for an output: filters, routing, templates.
//!
//! Everything here is a pure function of the chunk: it asks no clock, no disk and no network, so that reading the
//! same chunk again gives the same bytes.

pub mod characters;
pub mod field_path;
pub mod tag_pattern;
pub mod template;
pub mod time_format;
