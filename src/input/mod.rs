//! Where events come in.

pub mod forward;
