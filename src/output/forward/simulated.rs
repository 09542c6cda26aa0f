//! A forward output without servers, sockets and threads, for the simulation: what it reads, sends, gives up and saves is
//! what the real one does, and whoever drives it says what becomes of each message on its way.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::courier::Carried;
use super::ledger::Ledger;
use super::message::Message;
use super::message_id::MessageIds;
use super::open::OpenError;
use super::packer::Packer;
use super::progress::Progress;
use super::retry_limit::{RetryLimit, Tries};
use super::sending::Sending;
use super::unpack::{Due, unpack};
use crate::config::{ForwardOutputConfig, OutputConfig};
use crate::journal::{AppendError, CursorError, Journal, Position, ReadError, Reader, StoredChunk};
use crate::metrics::Metrics;
use crate::output::given_up::{GivenUp, Taken};
use crate::pipeline::Pipeline;

/// A forward output, driven from outside.
#[derive(Debug)]
pub(crate) struct SimulatedForward {
    reader: Reader,
    packer: Packer,
    resumed_at: Position,
    taken: Taken,
    progress: Progress,
    limit: Option<Arc<RetryLimit>>,
    under_way: Vec<UnderWay>,
    /// Read, and not handed over yet: nothing of it may be sent before the cursor is saved.
    waiting: Option<StoredChunk>,
}

/// A message that was handed over and did not end yet.
struct UnderWay {
    number: u64,
    message: Message,
    attempts: u32,
    is_in_doubt: bool,
    /// Until it is durable elsewhere.
    giving_up: Option<GivingUp>,
}

type GivingUp = Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>;

/// What a server gets.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: Bytes,
    pub(crate) entries: Bytes,
}

impl SimulatedForward {
    /// Opens an output of the configuration, as `open.rs` does.
    pub(crate) fn open(
        config: &OutputConfig,
        forward: &ForwardOutputConfig,
        journal: &Journal,
        given_up: &GivenUp,
        pipeline: &Pipeline,
        metrics: &Metrics,
    ) -> Result<Self, OpenError> {
        let cursor = journal.attach(&config.id, config.start)?;
        let selector = || {
            pipeline
                .selector(&config.id)
                .expect("the pipeline is made from the configuration that this output is in")
        };
        let saved = *cursor.saved();
        let ids = MessageIds::new(&saved.journal, &config.id, saved.replays.number());
        let (limit, before) = RetryLimit::open(forward.give_up.as_ref(), Some(given_up), &cursor, &ids)?;
        let (hold, taken) = before.map_or((None, Taken::default()), |(hold, taken)| (Some(hold), taken));
        let output_metrics = metrics.output(&config.id, config.kind.name());
        let packer = Packer::new(&config.id, forward, [selector(), selector()], ids, output_metrics);
        let sending = limit.as_ref().map(|_| Sending::of(&cursor, journal.newest()));
        let ledger = Ledger::new(saved.position, packer.throttled().clone());
        Ok(Self {
            reader: journal.reader(Position { entry: 0, ..saved.position }),
            packer,
            resumed_at: saved.position,
            taken,
            progress: Progress::new(ledger, cursor, hold, None, sending),
            limit: limit.map(Arc::new),
            under_way: Vec::new(),
            waiting: None,
        })
    }

    /// Reads the next chunk, and hands its messages over; `false` where there is none yet.
    pub(crate) fn read(&mut self) -> Result<bool, String> {
        let chunk = match self.waiting.take() {
            None => self.reader.try_next().map_err(|error| error.to_string())?,
            waiting => waiting,
        };
        let Some(chunk) = chunk else {
            self.progress.ledger.read_up_to(self.reader.position());
            return Ok(false);
        };
        if let Err(error) = self.progress.about_to_send(chunk.position.segment) {
            self.waiting = Some(chunk);
            return Err(error.to_string());
        }
        let Self { packer, taken, progress, under_way, .. } = self;
        let unpacked: Result<(), Infallible> =
            unpack(packer, taken, self.resumed_at, &chunk, |message, due| {
                let end = message.place.end;
                if due == Due::Sending {
                    let number = progress.ledger.sent(message.place.start, message.len() as u64);
                    let is_in_doubt = progress.may_have_arrived(message.place.start);
                    let (attempts, giving_up) = (0, None);
                    under_way.push(UnderWay { number, message, attempts, is_in_doubt, giving_up });
                }
                progress.ledger.read_up_to(end);
                Ok(())
            });
        let Ok(()) = unpacked;
        if chunk.next.entry == 0 {
            self.progress.ledger.counted_up_to(self.packer.throttled());
        }
        self.progress.ledger.read_up_to(chunk.next);
        Ok(true)
    }

    /// Messages that are under way.
    pub(crate) fn count(&self) -> usize {
        self.under_way.len()
    }

    /// One of them, as it is sent; `None` where it is being given up and is sent no more.
    pub(crate) fn message(&self, index: usize) -> Option<Sent> {
        let under_way = self.under_way.get(index).filter(|under_way| under_way.giving_up.is_none())?;
        sent(&under_way.message)
    }

    /// The server has acknowledged it.
    pub(crate) fn acknowledged(&mut self, index: usize) {
        let UnderWay { number, message, .. } = self.under_way.remove(index);
        self.progress.carried(number, message.place.end, Carried::Delivered);
    }

    /// It did not get through, or nobody knows whether it did.
    pub(crate) fn failed(&mut self, index: usize, is_in_doubt: bool) {
        let under_way = &mut self.under_way[index];
        under_way.attempts += 1;
        under_way.is_in_doubt |= is_in_doubt;
    }

    /// Whether the output knows that the server may have it.
    pub(crate) fn is_in_doubt(&self, index: usize) -> bool {
        self.under_way[index].is_in_doubt
    }

    /// Its time is over: begins to give it up.
    pub(crate) fn give_up(&mut self, index: usize) {
        let Some(limit) = self.limit.clone() else { return };
        let under_way = &mut self.under_way[index];
        let (message, in_doubt) = (under_way.message.clone(), under_way.is_in_doubt);
        let tries = Tries { attempts: under_way.attempts, ..Tries::default() };
        under_way.giving_up = Some(Box::pin(async move { limit.give_up(&message, tries, in_doubt).await }));
    }

    /// Notes what was given up and is durable elsewhere by now; how many messages that are.
    pub(crate) fn settle(&mut self) -> Result<u64, AppendError> {
        let mut settled = 0;
        let mut index = 0;
        while let Some(under_way) = self.under_way.get_mut(index) {
            let poll = under_way
                .giving_up
                .as_mut()
                .map(|giving_up| giving_up.as_mut().poll(&mut Context::from_waker(Waker::noop())));
            match poll {
                Some(Poll::Ready(Ok(()))) => {
                    let UnderWay { number, message, .. } = self.under_way.remove(index);
                    self.progress.carried(number, message.place.end, Carried::GivenUp);
                    settled += 1;
                }
                Some(Poll::Ready(Err(error))) => return Err(error),
                Some(Poll::Pending) | None => index += 1,
            }
        }
        Ok(settled)
    }

    /// Saves how far it has come, if that is further than before.
    pub(crate) fn save(&mut self) -> Result<(), CursorError> {
        if self.progress.is_behind() {
            return self.progress.save();
        }
        self.progress.let_go();
        Ok(())
    }

    /// What it would send if it were started again now, apart from what it gave up before it was started.
    pub(crate) fn remaining(&mut self) -> Result<Vec<Sent>, ReadError> {
        let position = self.progress.cursor.saved().position;
        let mut reader = self.progress.cursor.reader(Position { entry: 0, ..position });
        let mut remaining = Vec::new();
        while let Some(chunk) = reader.try_next()? {
            let unpacked: Result<(), Infallible> =
                unpack(&mut self.packer, &self.taken, position, &chunk, |message, due| {
                    if due == Due::Sending {
                        remaining.extend(sent(&message));
                    }
                    Ok(())
                });
            let Ok(()) = unpacked;
        }
        Ok(remaining)
    }
}

fn sent(message: &Message) -> Option<Sent> {
    message.id.clone().map(|id| Sent { id, entries: message.entries() })
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnderWay").field("number", &self.number).finish_non_exhaustive()
    }
}
