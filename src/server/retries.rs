//! Letters that an operator asks to be retried: back into the journal, once.
//!
//! An entry or a message is checked as its input would do it, and taken as if it had been sent now, with its sender, tag
//! and time of receipt; what an output gave up goes to that output alone, as it was. The chunk's id is that of the letter,
//! so a retry that a crash interrupted before the letter was settled is recognised by the journal.

mod batch;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use batch::Batch;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::chunk::{AckProof, Chunk, Encoding, HandedOver};
use crate::config::{Config, InputConfig};
use crate::dead_letters::requests::{self, Answer, Requests};
use crate::dead_letters::{Contents, Filter, Letter, LetterId, Outcome, Settled, Store, StoreError};
use crate::event_time::EventTime;
use crate::input::forward::Tagging;
use crate::journal::{AppendError, Journal, RETRY_ID, Receipt};
use crate::sender::Sender;
use crate::wire::limits::ContentLimits;
use crate::wire::message::Message;

/// How often it is looked for requests.
const INTERVAL: Duration = Duration::from_millis(500);

/// Takes up requests.
#[derive(Debug)]
pub(super) struct Retries {
    data_dir: PathBuf,
    journal: Journal,
    inputs: Vec<InputConfig>,
    outputs: Vec<String>,
}

/// Why a letter is not retried.
enum Failure {
    /// In words.
    Refused(String),
    /// The server is stopping, or its journal has failed.
    Stopped,
}

impl Failure {
    fn of(error: AppendError) -> Self {
        match error {
            AppendError::TooLarge | AppendError::Full => Self::Refused(error.to_string()),
            AppendError::Failed(_) | AppendError::Stopped => Self::Stopped,
        }
    }
}

impl Retries {
    pub(super) fn new(config: &Config, journal: &Journal) -> Self {
        Self {
            data_dir: config.server.data_dir.clone(),
            journal: journal.clone(),
            inputs: config.inputs.clone(),
            outputs: config.outputs.iter().map(|output| output.id.clone()).collect(),
        }
    }

    /// Takes up what is asked for until it is told to stop.
    pub(super) async fn run(self, stop: CancellationToken) {
        let retries = Arc::new(self);
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut fails = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let (retries, stop) = (Arc::clone(&retries), stop.clone());
            let taken = tokio::task::spawn_blocking(move || retries.take_up(&Handle::current(), &stop)).await;
            match taken {
                Ok(Ok(())) => fails = false,
                Ok(Err(error)) if !fails => {
                    fails = true;
                    tracing::error!(%error, "cannot retry dead letters; trying again");
                }
                Ok(Err(_)) => {}
                Err(error) => {
                    tracing::error!(%error, "retrying dead letters panicked: please report this");
                    return;
                }
            }
        }
    }

    fn take_up(&self, runtime: &Handle, stop: &CancellationToken) -> Result<(), StoreError> {
        for request in Requests::new(&self.data_dir).waiting()? {
            if self.answer(&request, runtime, stop)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Breaks off where the server stops; the request stays then.
    fn answer(
        &self,
        request: &Path,
        runtime: &Handle,
        stop: &CancellationToken,
    ) -> Result<ControlFlow<()>, StoreError> {
        let ids = requests::letters_of(request)?;
        let store = Store::new(&self.data_dir);
        let mut batch = Batch::new(&store, runtime)?;
        let filter = Filter { ids: ids.iter().copied().collect(), ..Filter::default() };
        let (_, broken) = match ids.is_empty() {
            true => Default::default(),
            false => store.read(&filter, |id, letter, line| {
                let appended = match stop.is_cancelled() {
                    true => Err(Failure::Stopped),
                    false => runtime.block_on(self.append(id, &letter)),
                };
                match appended {
                    Ok((receipt, detail)) => batch.add(id, receipt, detail, line.len()),
                    Err(Failure::Refused(detail)) => batch.refuse(id, detail),
                    Err(Failure::Stopped) => return ControlFlow::Break(()),
                }
                match batch.is_full() && batch.settle().is_break() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?,
        };
        let settled = batch.settle();
        let mut outcomes = batch.finish()?;
        if broken.is_some() || settled.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let settled = Settled::read(store.folder())?;
        let answers: Vec<_> = ids
            .iter()
            .map(|id| {
                let (retried, detail) = outcomes.remove(id).unwrap_or_else(|| match settled.get(id) {
                    Some(Outcome::Retried) => (true, "it was retried before".to_owned()),
                    Some(Outcome::Dropped) => (false, "it was dropped before".to_owned()),
                    None => (false, "there is no such letter".to_owned()),
                });
                Answer { letter: id.to_string(), retried, detail }
            })
            .collect();
        let retried = answers.iter().filter(|answer| answer.retried).count();
        tracing::info!(letters = answers.len(), retried, "retried dead letters");
        requests::answer(request, &answers)?;
        Ok(ControlFlow::Continue(()))
    }

    /// Hands the letter's events over to the journal; the receipt resolves once they are durable. Says where they go.
    async fn append(&self, id: LetterId, letter: &Letter) -> Result<(Receipt, String), Failure> {
        let (chunk, detail) = self.chunk(id, letter).map_err(Failure::Refused)?;
        let receipt = self.journal.append(chunk).await.map_err(Failure::of)?;
        Ok((receipt, detail))
    }

    /// What goes into the journal for a letter, and where it goes from there, in words.
    fn chunk(&self, id: LetterId, letter: &Letter) -> Result<(Chunk, String), String> {
        let input = self.inputs.iter().find(|input| letter.input.as_ref() == Some(&input.id));
        let limits = input.map_or(ContentLimits::NONE, InputConfig::content_limits);
        let plain = |entries: Vec<u8>| Message {
            tag: Bytes::copy_from_slice(letter.tag.as_bytes()),
            entries: entries.into(),
            encoding: Encoding::Plain,
            options: Default::default(),
        };
        let (message, handed_over, detail) = match letter.contents() {
            None => return Err("it holds no bytes that can be read".to_owned()),
            Some(Contents::Entry(entry)) => (plain(entry), None, "taken as it would be if it were sent now"),
            Some(Contents::Message(bytes)) => {
                let mut message =
                    Message::decode(&bytes.into()).map_err(|refusal| format!("still refused: {refusal}"))?;
                if let Some(input) = input {
                    let tagged = Tagging::new(input).apply(message.tag, None);
                    message.tag = tagged.map_err(|refusal| format!("still refused: {refusal}"))?.tag;
                }
                (message, None, "taken as it would be if it were sent now")
            }
            Some(Contents::Part(_)) => {
                return Err("it is one piece of a refused message that did not fit into a letter, and what was refused \
                            as a whole is not taken by pieces: `hikyaku dead-letter cat --raw` with its --sender and \
                            --tag writes its pieces one after the other, to be looked into; its sender has to send \
                            the events again"
                    .to_owned());
            }
            Some(Contents::Entries(entries)) => {
                let output = letter.output.clone().unwrap_or_default();
                if !self.outputs.contains(&output) {
                    return Err(format!(
                        "there is no output {output} in the configuration; cat shows the letter"
                    ));
                }
                (plain(entries), Some(Arc::new(handed_back(id, letter, output))), "given to its output again")
            }
        };
        let contents = message.contents(&limits).map_err(|refusal| format!("still refused: {refusal}"))?;
        if contents.entries == 0 || contents.bad_entries == contents.entries {
            return Err(format!("still no event: {}", letter.reason));
        }
        let chunk = Chunk {
            sender: Arc::new(sender(&letter.sender)),
            input: letter.input.as_deref().unwrap_or_default().into(),
            tag: message.tag,
            id: Some(format!("{RETRY_ID}{id}").into()),
            received_at: received_at(letter),
            entry_count: contents.entries,
            has_bad_entries: contents.bad_entries > 0,
            has_metadata: contents.has_metadata,
            refusal: None,
            proof: AckProof::default(),
            memory: None,
            handed_over,
            encoding: message.encoding,
            entries: message.entries,
        };
        Ok((chunk, detail.to_owned()))
    }
}

/// To the output that gave it up, under the id that it had.
fn handed_back(id: LetterId, letter: &Letter, output: String) -> HandedOver {
    HandedOver {
        from: output.clone(),
        to: output,
        // Its place is that of the new chunk.
        journal: String::new(),
        segment: 0,
        offset: 0,
        first: 0,
        end: 0,
        reason: letter.reason.clone(),
        attempts: 0,
        in_doubt: false,
        message_id: letter.message_id.clone().unwrap_or_else(|| id.to_string()),
        chunk: letter.chunk.clone(),
        as_received: None,
        file: None,
    }
}

/// Of a letter only the name is known.
fn sender(identity: &str) -> Sender {
    Sender { identity: identity.to_owned(), address: None, certificate: None, host_name: None, user: None }
}

fn received_at(letter: &Letter) -> EventTime {
    let nanoseconds = i64::try_from(letter.received_at.as_nanosecond()).unwrap_or(i64::MAX);
    EventTime::from_unix_nanoseconds(nanoseconds)
}
