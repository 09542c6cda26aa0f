//! Where a connection waits before it begins with a message.
//!
//! Whatever has been read of a message is in memory until the journal's writer has it. A thousand connections at a time that
//! each have a little would take the more of it the slower the disk is; in their sockets it costs the server nothing.

use super::ack_trail::AckTrail;
use crate::journal::QueueRoom;

/// Of one connection.
#[derive(Debug, Clone)]
pub(super) struct Turnstile<'a> {
    pub(super) room: QueueRoom,
    pub(super) trail: &'a AckTrail,
}

impl Turnstile<'_> {
    /// Whether a message may be begun: there is room where the journal's writer takes it from, or an acknowledgement is to go
    /// out. That must not pass what there is to read, or nobody could tell what its sender knew when it sent that.
    pub(super) fn is_open(&self) -> bool {
        self.room.is_free() || self.trail.has_unacknowledged()
    }

    /// Waits until it opens, where it is not open: nothing is acknowledged meanwhile. Safe to cancel.
    pub(super) async fn wait(&self) {
        self.room.wait().await;
    }
}
