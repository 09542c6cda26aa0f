//! How far an output may have sent, so that the process after a crash knows which messages its server may have.
//!
//! Where there is a choice of servers, the sent log tells where each message went (`sent_log.rs`). With one server it is
//! only asked of messages that are given up, and there the newest segment is enough of which anything may have been sent.
//! It stands in the output's cursor, durably, before the first message of that segment goes out: one cursor more for each
//! segment. What of that segment was never sent counts as possibly sent as well, never the other way around.

use crate::journal::cursor_attributes::{SENDING, write_attribute};
use crate::journal::{OutputCursor, Position};

/// Up to where messages may have been sent.
#[derive(Debug)]
pub(super) struct Sending {
    /// The newest segment of which something may have been sent.
    newest: u64,
    /// Whether the cursor on disk says so.
    is_noted: bool,
    /// Messages that begin before this may have been sent by a process before.
    before: Position,
}

impl Sending {
    /// Of an output that starts with this cursor, where the journal goes up to `end`.
    pub(super) fn of(cursor: &OutputCursor, end: Position) -> Self {
        let newest =
            cursor.attribute(SENDING).and_then(|value| value.try_into().ok()).map(u64::from_le_bytes);
        Self::from_segment(newest, end)
    }

    fn from_segment(newest: Option<u64>, end: Position) -> Self {
        let before = newest.map_or(Position::new(0, 0), |newest| end.min(Position::new(newest + 1, 0)));
        Self { newest: newest.unwrap_or_default(), is_noted: newest.is_some(), before }
    }

    /// Whether a process before may have sent the message that begins here.
    pub(super) fn may_be_of_before(&self, start: Position) -> bool {
        start < self.before
    }

    /// Something of this segment is about to be sent. Whether a cursor has to be saved first.
    pub(super) fn reach(&mut self, segment: u64) -> bool {
        self.is_noted &= segment <= self.newest;
        self.newest = self.newest.max(segment);
        !self.is_noted
    }

    /// Adds to what a cursor keeps how far it goes.
    pub(super) fn write(&self, attributes: &mut Vec<u8>) {
        if self.newest > 0 {
            write_attribute(attributes, SENDING, &self.newest.to_le_bytes());
        }
    }

    /// A cursor was saved with it.
    pub(super) fn saved(&mut self) {
        self.is_noted = true;
    }

    /// The output goes on elsewhere, under other ids: nothing of that was ever sent.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::from_segment(None, Position::new(0, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Position = Position { segment: 7, offset: 500, entry: 0 };

    #[test]
    fn a_segment_is_noted_before_the_first_message_of_it_is_sent_and_once() {
        let mut sending = Sending::from_segment(None, END);
        for segment in [5, 6] {
            assert!(sending.reach(segment));
            assert!(sending.reach(segment), "it was not saved");
            sending.saved();
            assert!(!sending.reach(segment) && !sending.reach(segment - 1));
        }
        let mut kept = Vec::new();
        sending.write(&mut kept);
        assert_eq!(kept[8..], 6u64.to_le_bytes(), "and it never goes back");
    }

    #[test]
    fn only_what_lay_in_the_journal_at_the_start_up_to_the_noted_segment_may_be_of_before() {
        let before = Sending::from_segment(Some(6), END);
        assert!(
            before.may_be_of_before(Position::new(6, 99_999))
                && !before.may_be_of_before(Position::new(7, 64))
        );
        let within = Sending::from_segment(Some(7), END);
        assert!(within.may_be_of_before(Position::new(7, 499)) && !within.may_be_of_before(END));
        let mut unknown = Sending::from_segment(None, END);
        assert!(!unknown.may_be_of_before(Position::new(1, 64)));
        unknown = within;
        unknown.begin_anew();
        assert!(!unknown.may_be_of_before(Position::new(1, 64)) && unknown.reach(1));
    }
}
