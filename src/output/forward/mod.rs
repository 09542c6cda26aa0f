//! The `forward` output.

pub mod pool;
