//! Archive files.

pub mod format;
