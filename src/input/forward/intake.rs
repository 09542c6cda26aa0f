//! From the bytes of a message to what the journal takes.

use bytes::Bytes;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use crate::chunk::Encoding;
use crate::wire::contents::Contents;
use crate::wire::limits::ContentLimits;
use crate::wire::message::Message;
use crate::wire::options::Signal;
use crate::wire::refusal::Refusal;

/// Plain entries up to this many bytes, about a millisecond's work, are looked into on the spot; larger ones where they
/// hold up nobody else. That wakes another thread to go on in this one's place, which costs more than it is worth for
/// the few hundred kilobytes that engines send at a time.
const CHECK_ON_THE_SPOT: usize = 1024 * 1024;

/// Logs inflate to about so many times their size.
const USUAL_RATIO: usize = 8;

/// Decodes and checks messages. Compressed ones are inflated for it, so many at a time as there are processors, which
/// bounds the memory for it to that many times `max_entry_size`.
#[derive(Debug)]
pub(super) struct Intake {
    limits: ContentLimits,
    inflating: Semaphore,
}

/// A message that may be taken.
#[derive(Debug)]
pub(super) enum Accepted {
    /// Events.
    Events(Message, Contents),
    /// Metrics or traces, which this server does not keep.
    Signal(Message, u64),
}

impl Accepted {
    /// Bytes of the entries, which go on when the message itself is gone.
    pub(super) fn size(&self) -> usize {
        let (Self::Events(message, _) | Self::Signal(message, _)) = self;
        message.entries.len()
    }
}

impl Intake {
    pub(super) fn new(limits: ContentLimits) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { limits, inflating: Semaphore::new(processors) }
    }

    /// # Errors
    ///
    /// Where the message must not be taken.
    pub(super) async fn accept(&self, message: &Bytes) -> Result<Accepted, Refusal> {
        self.accept_decoded(Message::decode(message)?).await
    }

    /// As [`accept`](Self::accept), of a message that is JSON text.
    pub(super) async fn accept_json(
        &self,
        text: &Bytes,
        max_message_size: usize,
    ) -> Result<Accepted, Refusal> {
        let message = on_the_side(text.len(), || Message::decode_json(text, max_message_size))?;
        self.accept_decoded(message).await
    }

    async fn accept_decoded(&self, message: Message) -> Result<Accepted, Refusal> {
        if let Signal::Other(signal) = message.options.signal {
            return Ok(Accepted::Signal(message, signal));
        }
        let contents = match message.encoding {
            Encoding::Plain => self.contents(&message)?,
            Encoding::Gzip | Encoding::Zstd => {
                let _turn = self.inflating.acquire().await.expect("the semaphore is never closed");
                self.contents(&message)?
            }
        };
        Ok(Accepted::Events(message, contents))
    }

    fn contents(&self, message: &Message) -> Result<Contents, Refusal> {
        let length = message.entries.len();
        let size =
            if message.encoding == Encoding::Plain { length } else { length.saturating_mul(USUAL_RATIO) };
        on_the_side(size, || message.contents(&self.limits))
    }
}

/// Does the work for so many bytes where it holds up nobody else.
pub(super) fn on_the_side<T>(size: usize, work: impl FnOnce() -> T) -> T {
    // A runtime of one thread has no place to move its other tasks to.
    let can_move = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if can_move && size > CHECK_ON_THE_SPOT { tokio::task::block_in_place(work) } else { work() }
}
