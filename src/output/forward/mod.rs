//! The `forward` output.

pub mod pool;
mod resolve;

pub use resolve::{Answer, Lookup, ServiceRecord, SystemLookup};
