//! Filters as operators meet them: a configuration, events in, events out.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod golden;
mod hostile;
mod properties;
mod support;
mod throttle;
