//! Sending chunks until they are acknowledged.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::chunks::{ChunkSource, OutgoingChunk};
use super::connection::{ConnectError, Endpoint, Stream};
use super::handshake::HandshakeError;
use crate::wire::client::{AckError, AckReader};

/// First wait before a new connection; doubled up to [`MAX_RECONNECT_WAIT`].
const MIN_RECONNECT_WAIT: Duration = Duration::from_millis(50);
const MAX_RECONNECT_WAIT: Duration = Duration::from_secs(2);

/// How much is read of a server's answers at once.
const ANSWER_BUFFER: usize = 4096;

/// How a connection behaves.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryLimits {
    /// Chunks that may be unacknowledged at one time.
    pub window: usize,
    /// How long to go on without a single acknowledgement (or, without acknowledgements, a single write).
    pub patience: Duration,
}

/// What happened to a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It was acknowledged, this long after it was first sent. Without acknowledgements: it was written.
    Delivered { events: u64, after: Duration },
    /// It goes out once more, after a lost connection.
    SentAgain { events: u64 },
    /// A connection was lost, or never came about.
    Disconnected,
}

/// Why chunks are left over.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    #[error(
        "{address} did not answer for {} s: {reason}. Is a server listening there? {unacknowledged} events that were sent \
         are not acknowledged",
        patience.as_secs()
    )]
    GaveUp { address: String, patience: Duration, reason: io::Error, unacknowledged: u64 },
    #[error("{address}: {source}")]
    Answer { address: String, source: AckError },
    #[error("{address}: {source}")]
    Handshake { address: String, source: HandshakeError },
}

/// Sends chunks over one connection at a time until there are no more of them and everything is acknowledged.
pub async fn deliver<S: ChunkSource>(
    endpoint: &Endpoint,
    source: S,
    limits: DeliveryLimits,
    report: impl Fn(Progress),
) -> Result<(), DeliveryError> {
    let mut delivery = Delivery {
        endpoint,
        source,
        limits,
        report,
        unacknowledged: VecDeque::new(),
        last_progress: Instant::now(),
    };
    let mut wait = MIN_RECONNECT_WAIT;
    let mut reason: Option<io::Error> = None;
    loop {
        let before = delivery.last_progress;
        let lost = match delivery.session().await {
            Ok(()) => return Ok(()),
            Err(Interruption::Answer(source)) => {
                return Err(DeliveryError::Answer { address: endpoint.address.clone(), source });
            }
            Err(Interruption::Handshake(source)) => {
                return Err(DeliveryError::Handshake { address: endpoint.address.clone(), source });
            }
            Err(Interruption::Lost(error)) => error,
        };
        (delivery.report)(Progress::Disconnected);
        if delivery.last_progress > before {
            wait = MIN_RECONNECT_WAIT;
            reason = None;
        }
        // At the end there is no time left for another connection, and that says less than why there was none before.
        if reason.is_none() || lost.kind() != io::ErrorKind::TimedOut {
            reason = Some(lost);
        }
        if delivery.deadline() <= Instant::now() {
            return Err(DeliveryError::GaveUp {
                address: endpoint.address.clone(),
                patience: limits.patience,
                reason: reason.unwrap_or_else(|| io::ErrorKind::TimedOut.into()),
                unacknowledged: delivery.unacknowledged.iter().map(|sent| sent.chunk.events).sum(),
            });
        }
        sleep_until((Instant::now() + wait).min(delivery.deadline())).await;
        wait = (wait * 2).min(MAX_RECONNECT_WAIT);
    }
}

struct Delivery<'a, S: ChunkSource, R> {
    endpoint: &'a Endpoint,
    source: S,
    limits: DeliveryLimits,
    report: R,
    /// In the order in which they were sent.
    unacknowledged: VecDeque<SentChunk<S::Message>>,
    last_progress: Instant,
}

struct SentChunk<M> {
    chunk: OutgoingChunk<M>,
    first_sent: Instant,
}

enum Interruption {
    /// The connection is gone; another may do better.
    Lost(io::Error),
    /// The server speaks something else; another connection would not change that.
    Answer(AckError),
    /// The server does not want this client.
    Handshake(HandshakeError),
}

impl From<ConnectError> for Interruption {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Io(error) => Self::Lost(error),
            ConnectError::Handshake(error) => Self::Handshake(error),
        }
    }
}

impl From<io::Error> for Interruption {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

impl<S: ChunkSource, R: Fn(Progress)> Delivery<'_, S, R> {
    /// One connection, from the handshake to its end. `Ok`: all is delivered.
    async fn session(&mut self) -> Result<(), Interruption> {
        let deadline = self.deadline();
        let too_late = |_| ConnectError::from(io::Error::from(io::ErrorKind::TimedOut));
        let mut stream = timeout_at(deadline, self.endpoint.connect()).await.map_err(too_late)??;
        for sent in &self.unacknowledged {
            write(&mut stream, &mut self.source, &sent.chunk, deadline).await?;
            (self.report)(Progress::SentAgain { events: sent.chunk.events });
        }
        within(deadline, stream.flush()).await?;

        let mut acks = AckReader::default();
        let mut is_at_end = false;
        loop {
            if is_at_end && self.unacknowledged.is_empty() {
                return say_goodbye(stream, self.deadline()).await;
            }
            let deadline = self.deadline();
            let may_send = !is_at_end && self.unacknowledged.len() < self.limits.window;
            let waiting = !self.unacknowledged.is_empty();
            acks.buffer().reserve(ANSWER_BUFFER);
            tokio::select! {
                read = stream.read_buf(acks.buffer()) => {
                    if read? == 0 {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection").into());
                    }
                    while let Some(id) = acks.next_ack().map_err(Interruption::Answer)? {
                        self.acknowledged(&id);
                    }
                }
                chunk = self.source.next(), if may_send => match chunk {
                    Some(chunk) => self.send(&mut stream, chunk).await?,
                    None => is_at_end = true,
                },
                () = sleep_until(deadline), if waiting => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "no acknowledgement came").into());
                }
            }
        }
    }

    async fn send(
        &mut self,
        stream: &mut Stream,
        chunk: OutgoingChunk<S::Message>,
    ) -> Result<(), Interruption> {
        let sent = SentChunk { chunk, first_sent: Instant::now() };
        if self.unacknowledged.is_empty() {
            // Waiting for something to send was no lack of progress.
            self.last_progress = sent.first_sent;
        }
        let deadline = self.deadline();
        if sent.chunk.id.is_some() {
            // Noted before it is written: half a message on a lost connection is to be sent again, too.
            self.unacknowledged.push_back(sent);
            if let Some(sent) = self.unacknowledged.back() {
                write(stream, &mut self.source, &sent.chunk, deadline).await?;
            }
            within(deadline, stream.flush()).await?;
        } else {
            write(stream, &mut self.source, &sent.chunk, deadline).await?;
            within(deadline, stream.flush()).await?;
            self.delivered(&sent);
        }
        Ok(())
    }

    fn acknowledged(&mut self, id: &Bytes) {
        let index = self.unacknowledged.iter().position(|sent| sent.chunk.id.as_ref() == Some(id));
        // An ack for nothing that is waiting: the second answer to a chunk that was sent twice.
        if let Some(sent) = index.and_then(|index| self.unacknowledged.remove(index)) {
            self.delivered(&sent);
        }
    }

    fn delivered(&mut self, sent: &SentChunk<S::Message>) {
        self.last_progress = Instant::now();
        (self.report)(Progress::Delivered { events: sent.chunk.events, after: sent.first_sent.elapsed() });
    }

    fn deadline(&self) -> Instant {
        self.last_progress + self.limits.patience
    }
}

async fn write<S: ChunkSource>(
    stream: &mut Stream,
    source: &mut S,
    chunk: &OutgoingChunk<S::Message>,
    deadline: Instant,
) -> io::Result<()> {
    for number in 0.. {
        let piece = source.piece(chunk, number);
        if piece.is_empty() {
            break;
        }
        within(deadline, stream.write_all(piece)).await?;
    }
    Ok(())
}

/// Closes in order, and waits for the server to do the same: without acknowledgements this is all that says that it has read
/// everything.
async fn say_goodbye(mut stream: Stream, deadline: Instant) -> Result<(), Interruption> {
    within(deadline, stream.shutdown()).await?;
    let mut rest = [0; 64];
    // However the server ends it, there is nothing left to lose.
    while let Ok(count) = within(deadline, stream.read(&mut rest)).await
        && count > 0
    {}
    Ok(())
}

async fn within<T>(deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(deadline, work)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the server took too long")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Mutex, mpsc};

    use super::*;
    use crate::client::chunks::ChunkQueue;
    use crate::ports::reserved_address;

    #[tokio::test]
    async fn who_gives_up_says_why_there_was_no_connection_and_not_that_time_was_up() {
        let endpoint = Endpoint { address: reserved_address().to_string(), tls: None, handshake: None };
        let (_open, chunks) = mpsc::channel(1);
        let queue: ChunkQueue = Arc::new(Mutex::new(chunks));
        let limits = DeliveryLimits { window: 1, patience: Duration::from_millis(50) };
        let gave_up = deliver(&endpoint, queue, limits, |_| {}).await.unwrap_err();
        assert!(gave_up.to_string().contains("Connection refused"), "{gave_up}");
    }
}
