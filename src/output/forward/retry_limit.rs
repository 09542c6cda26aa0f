//! When a message is given up, and to whom.
//!
//! A message is given up when it is older than `retry_timeout`, counted from its receipt, and could not be delivered for
//! as long: because of itself, or because no server could be reached. So in an outage that lasts, each message has its
//! full time, and the backlog holds what came within that time. A refusal that can't get better does not exist here: the
//! protocol knows no "no", and what a server says about keys, users and certificates a person can mend.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::message::Message;
use super::message_id::MessageIds;
use crate::chunk::HandedOver;
use crate::config::GiveUpConfig;
use crate::journal::{AppendError, OutputCursor};
use crate::output::file::DEAD_LETTERS;
use crate::output::given_up::{Abandoned, GivenUp, Hold, HoldError, Taken};

/// The limit of one output.
#[derive(Debug)]
pub(super) struct RetryLimit {
    output: String,
    after: Duration,
    to: String,
    /// The main journal's id, in hex.
    journal: String,
    /// For messages that are sent without one.
    ids: MessageIds,
    given_up: GivenUp,
    under_way: Arc<AtomicUsize>,
    /// Since when nothing was delivered although it was tried.
    failing_since: watch::Sender<Option<Instant>>,
}

/// What was tried with a message.
#[derive(Debug, Default)]
pub(super) struct Tries {
    pub(super) failed_since: Option<Instant>,
    pub(super) attempts: u32,
    pub(super) last_error: String,
}

/// The limit of an output, and what it gave up before; `None` each where there is nothing of the kind.
pub(super) type Opened = (Option<RetryLimit>, Option<(Hold, Taken)>);

impl RetryLimit {
    /// Opens the limit of the output that a cursor is of. What it gave up before is looked for also where it has no limit
    /// any more.
    pub(super) fn open(
        config: Option<&GiveUpConfig>,
        given_up: Option<&GivenUp>,
        cursor: &OutputCursor,
        ids: &MessageIds,
    ) -> Result<Opened, HoldError> {
        let Some(given_up) = given_up else { return Ok((None, None)) };
        let journal: String = cursor.saved().journal.iter().map(|byte| format!("{byte:02x}")).collect();
        let (hold, taken) = Hold::open(given_up, cursor.id(), &journal)?;
        let limit = config.map(|GiveUpConfig { after, secondary }| {
            let (ids, given_up, under_way) = (ids.clone(), given_up.clone(), hold.under_way());
            Self::new(cursor.id(), *after, secondary.as_deref(), journal, ids, given_up, under_way)
        });
        Ok((limit, Some((hold, taken))))
    }

    fn new(
        output: &str,
        after: Duration,
        secondary: Option<&str>,
        journal: String,
        ids: MessageIds,
        given_up: GivenUp,
        under_way: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            output: output.to_owned(),
            after,
            to: secondary.unwrap_or(DEAD_LETTERS).to_owned(),
            journal,
            ids,
            given_up,
            under_way,
            failing_since: watch::Sender::new(None),
        }
    }

    /// Where messages go that are given up.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    /// Something was delivered.
    pub(super) fn succeeded(&self) {
        self.failing_since.send_if_modified(|since| since.take().is_some());
    }

    /// Something could not be delivered, or there is nobody to deliver to.
    pub(super) fn failed(&self) {
        self.failing_since.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Resolves once a message is to be given up. Whoever waits for that, waits for servers.
    pub(super) async fn reached(&self, message: &Message, tries: &Tries) {
        self.failed();
        let mut outage = self.failing_since.subscribe();
        loop {
            let since = *outage.borrow_and_update();
            let since = [since, tries.failed_since].into_iter().flatten().min();
            let due = since.map(|since| since.max(message.received.unwrap_or(since)) + self.after);
            let changed = async {
                if outage.changed().await.is_err() {
                    // Its sender is in `self`.
                    std::future::pending().await
                }
            };
            tokio::select! {
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return,
                () = changed => {}
            }
        }
    }

    /// Resolves once the message is durable elsewhere. Counts it as under way before, for the output to note it.
    pub(super) async fn give_up(
        &self,
        message: &Message,
        tries: Tries,
        in_doubt: bool,
    ) -> Result<(), AppendError> {
        let (start, end) = (message.place.start, message.place.end);
        let origin = &message.origin;
        let made = || self.ids.id(origin.received_at, origin.chunk.as_deref(), start, end.entry);
        let id = message.id.clone().unwrap_or_else(made);
        let reason = match tries.last_error.as_str() {
            "" => "no server could be reached within retry_timeout".to_owned(),
            error => format!("not delivered within retry_timeout: {error}"),
        };
        let handed_over = HandedOver {
            from: self.output.clone(),
            to: self.to.clone(),
            journal: self.journal.clone(),
            segment: start.segment,
            offset: start.offset,
            first: start.entry,
            end: end.entry,
            reason,
            attempts: tries.attempts,
            in_doubt,
            message_id: String::from_utf8_lossy(&id).into_owned(),
            chunk: origin.chunk.as_ref().map(|id| BASE64_STANDARD.encode(id)),
            as_received: None,
            file: None,
        };
        let abandoned = Abandoned {
            sender: origin.sender.clone(),
            input: Arc::clone(&origin.input),
            received_at: origin.received_at,
            tag: message.tag.clone(),
            entries: message.entries(),
            encoding: message.encoding,
            entry_count: u32::try_from(message.events).unwrap_or(u32::MAX),
            id,
            handed_over,
        };
        let under_way = UnderWay::new(&self.under_way);
        self.given_up.take(abandoned).await?;
        under_way.leave_to_the_output();
        Ok(())
    }
}

/// Counts a message as being given up, until the output has noted that it was, or it comes to nothing: also where its
/// task is cut off.
struct UnderWay<'a>(Option<&'a AtomicUsize>);

impl<'a> UnderWay<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Some(count))
    }

    fn leave_to_the_output(mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
