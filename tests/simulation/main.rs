//! A thousand seeds of the deterministic simulation, and mistakes that it must find. How to run more, and one alone:
//! docs/durability.md.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod documentation;
mod planted;
mod repeats;
mod seeds;
