//! Programs in VRL, the language of Vector's users.
//!
//! VRL and its compiler are the crate `vrl`; this is what stands between it and a pipeline that has to be a pure
//! function of the chunk: a program sees the record as `.` and what is known about the event as `%name`, and no clock, no
//! chance and nothing outside (`refused.rs`). What it leaves alone stays byte for byte as it came (`target.rs`), what it
//! changes becomes msgpack again (`value.rs`). A program that fails has changed nothing.

mod check;
mod metadata;
mod program;
mod refused;
mod target;
#[cfg(test)]
mod tests;
mod value;

pub use program::{MAX_STEPS, Program};
pub(super) use program::{Outcome, RemapScratch};
pub use value::MAX_REMAPPED_SIZE;
