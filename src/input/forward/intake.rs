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

/// Messages up to this many bytes are looked into on the spot; larger ones where they hold up nobody else.
const CHECK_ON_THE_SPOT: usize = 256 * 1024;

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

impl Intake {
    pub(super) fn new(limits: ContentLimits) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { limits, inflating: Semaphore::new(processors) }
    }

    /// # Errors
    ///
    /// Where the message must not be taken.
    pub(super) async fn accept(&self, message: &Bytes) -> Result<Accepted, Refusal> {
        let message = Message::decode(message)?;
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
        let work = || message.contents(&self.limits);
        // A runtime of one thread has no place to move its other tasks to.
        let can_move = Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        if can_move && message.entries.len() > CHECK_ON_THE_SPOT {
            tokio::task::block_in_place(work)
        } else {
            work()
        }
    }
}
