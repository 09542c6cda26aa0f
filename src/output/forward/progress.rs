//! How far a forward output has come: what is under way, what was given up, and the cursor behind both. Knows no server,
//! no thread and no clock.

use std::sync::Arc;

use tokio::sync::watch;

use super::courier::Carried;
use super::ledger::Ledger;
use super::sending::Sending;
use super::sent_log::SentLog;
use crate::journal::{CursorError, OutputCursor, Position, SavedCursor, Status};
use crate::output::given_up::Hold;

/// Messages under way, and the cursor that follows them.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) ledger: Ledger,
    pub(super) cursor: OutputCursor,
    /// What was given up, until the cursor has passed it; `None` where nothing is.
    hold: Option<Hold>,
    /// Where messages went; `None` where there is only one place.
    sent_log: Option<Arc<SentLog>>,
    /// How far anything was sent; `None` where nobody asks.
    sending: Option<Sending>,
}

impl Progress {
    pub(super) fn new(
        ledger: Ledger,
        cursor: OutputCursor,
        hold: Option<Hold>,
        sent_log: Option<Arc<SentLog>>,
        sending: Option<Sending>,
    ) -> Self {
        Self { ledger, cursor, hold, sent_log, sending }
    }

    /// Messages of this segment are about to be sent: the next process has to know. Blocks.
    ///
    /// # Errors
    ///
    /// Where the cursor can't be saved. They must not be sent then.
    pub(super) fn about_to_send(&mut self, segment: u64) -> Result<(), CursorError> {
        let must_save = self.sending.as_mut().is_some_and(|sending| sending.reach(segment));
        if must_save { self.save() } else { Ok(()) }
    }

    /// Whether a process before may have sent the message that begins here.
    pub(super) fn may_have_arrived(&self, start: Position) -> bool {
        self.sending.as_ref().is_some_and(|sending| sending.may_be_of_before(start))
    }

    /// A message that ends at `end` is no longer under way.
    pub(super) fn carried(&mut self, number: u64, end: Position, how: Carried) {
        self.ledger.delivered(number);
        if let Some(hold) = self.hold.as_mut().filter(|_| how == Carried::GivenUp) {
            hold.note(end);
        }
    }

    /// Whether more is delivered than saved.
    pub(super) fn is_behind(&self) -> bool {
        self.cursor.saved().position != self.ledger.delivered_up_to()
    }

    /// Saves how far everything is delivered or durable elsewhere, and lets go of what was kept for the way up to there.
    /// Blocks.
    pub(super) fn save(&mut self) -> Result<(), CursorError> {
        let generation = self.cursor.saved().generation + 1;
        let mut attributes = self.ledger.throttled().attribute();
        if let Some(sending) = &self.sending {
            sending.write(&mut attributes);
        }
        self.cursor.keep(attributes);
        self.cursor.save(self.ledger.delivered_up_to(), generation)?;
        if let Some(sending) = &mut self.sending {
            sending.saved();
        }
        let position = self.cursor.saved().position;
        if let Some(log) = &self.sent_log {
            log.saved(position);
        }
        self.let_go();
        Ok(())
    }

    /// Lets go of what was given up before the cursor: by this output, and by others since.
    pub(super) fn let_go(&mut self) {
        let position = self.cursor.saved().position;
        if let Some(Err(error)) = self.hold.as_mut().map(|hold| hold.release(position)) {
            tracing::warn!(output = self.cursor.id(), %error, "what was given up is kept longer than need be");
        }
    }

    /// Of the journal that messages are given up into, as news; `None` where none are.
    pub(super) fn given_up_status(&self) -> Option<watch::Receiver<Status>> {
        let mut status = self.hold.as_ref()?.journal().status();
        status.mark_changed();
        Some(status)
    }

    /// Goes on elsewhere, under other ids. Nothing may be under way.
    pub(super) fn turn(&mut self, to: SavedCursor) -> Result<(), CursorError> {
        // Nobody knows what throttle filters would have counted up to there: their windows begin anew.
        self.cursor.keep(Vec::new());
        self.cursor.replace(to)?;
        if let Some(sending) = &mut self.sending {
            sending.begin_anew();
        }
        Ok(())
    }
}
