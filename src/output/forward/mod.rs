//! The `forward` output.

mod heartbeat;
pub mod pool;
mod resolve;

pub use resolve::{Answer, Lookup, ServiceRecord, SystemLookup};
