//! How far a forward output has come: what is under way, what was given up, and the cursor behind both. Knows no server,
//! no thread and no clock.

use std::sync::Arc;

use tokio::sync::watch;

use super::courier::Carried;
use super::ledger::Ledger;
use super::sent_log::SentLog;
use crate::journal::{CursorError, OutputCursor, Position, Status};
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
}

impl Progress {
    pub(super) fn new(
        ledger: Ledger,
        cursor: OutputCursor,
        hold: Option<Hold>,
        sent_log: Option<Arc<SentLog>>,
    ) -> Self {
        Self { ledger, cursor, hold, sent_log }
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
        self.cursor.keep(self.ledger.throttled().attribute());
        self.cursor.save(self.ledger.delivered_up_to(), generation)?;
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
}
