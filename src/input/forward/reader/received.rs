//! What was read.

use bytes::Bytes;

use crate::input::forward::budget::Reservation;
use crate::input::forward::large::Spooled;

/// A whole message, and its part of the budget.
#[derive(Debug)]
pub(in crate::input::forward) struct Received {
    pub(in crate::input::forward) message: Incoming,
    /// Bytes of memory that the message alone is in, where that comes back as a whole.
    pub(in crate::input::forward) memory: Option<usize>,
    pub(in crate::input::forward) reservation: Reservation,
}

/// Where a whole message is.
#[derive(Debug)]
pub(in crate::input::forward) enum Incoming {
    InMemory(Bytes),
    /// Text, in memory.
    Json(Bytes),
    InFile(Box<Spooled>),
}

impl Incoming {
    /// Bytes of the message.
    pub(in crate::input::forward) fn length(&self) -> u64 {
        match self {
            Self::InMemory(message) | Self::Json(message) => message.len() as u64,
            Self::InFile(spooled) => spooled.length,
        }
    }
}
