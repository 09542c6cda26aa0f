//! journal

pub mod append;
