//! `type = "throttle"`

use std::time::Duration;

use crate::pipeline::template::ValueTemplate;

/// `type = "throttle"`
#[derive(Debug, Clone)]
pub struct ThrottleConfig {
    /// Events for which this is the same count together. `None`: all of them.
    pub key: Option<ValueTemplate>,
    /// Events of one key in one window.
    pub limit: u32,
    /// The length of a window.
    pub interval: Duration,
    /// Keys that have a count of their own in one window.
    pub max_keys: usize,
}
