//! Outputs deliver what the pipeline gives them, each at its own pace and with its own cursor.

pub mod file;
