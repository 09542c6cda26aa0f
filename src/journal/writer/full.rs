//! What the writer does, and says, while there is no space.

use super::{Moment, Obstacle, Request, Writer, refuse};
use crate::config::WhenFull;
use crate::journal::append::AppendError;
use crate::journal::next_segment::SPACE_POLL;
use crate::journal::shared::Status;

impl Writer {
    /// Says that there is no space. That outputs take a moment to give up the oldest segment is nothing to say.
    pub(in crate::journal) fn full(&mut self, status: Status, now: Moment) -> Obstacle {
        self.update_metrics();
        let since = *self.asked_since.get_or_insert(now.monotonic);
        let is_asked = self.when_full == WhenFull::DropOldest && status == Status::Full;
        if !is_asked || now.monotonic.saturating_duration_since(since) >= SPACE_POLL {
            self.report(status);
        }
        Obstacle::NoSpace
    }

    pub(in crate::journal) fn report(&self, status: Status) {
        if *self.shared.status().borrow() != status
            && let Some(reason) = status.refusal()
        {
            tracing::warn!("{reason}");
        }
        self.shared.set_status(status);
    }

    /// Refuses what waits for space; whether the journal is to be closed. What is half written waits all the same: it
    /// can't be taken back.
    pub(super) fn refuse_waiting(&mut self) -> bool {
        if self.active.is_pending() {
            return false;
        }
        self.answer();
        while let Some(request) = self.next.take().or_else(|| self.requests.try_recv().ok()) {
            match request {
                Request::Append { reply, .. } => refuse(reply, &AppendError::Full),
                Request::Release | Request::MakeSpace => {}
                Request::Close => return true,
            }
        }
        false
    }

    /// Whether senders are refused, and nobody waits who would notice that there is space again.
    pub(super) fn is_still_full(&self) -> bool {
        let is_full = self.shared.status().borrow().is_waiting();
        if is_full && self.spare.is_ready() && self.shared.blocking_output().is_none() {
            self.shared.set_status(Status::Accepting);
            return false;
        }
        is_full && self.when_full == WhenFull::Reject
    }
}
