use prometheus::IntGauge;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::super::ack_trail::{AckTrail, Watched};
use super::*;
use crate::chunk::AckProof;
use crate::journal::format::footer::ChunkKey;
use crate::journal::{MAX_QUEUED, QueueRoom};
use crate::wire::client::{Packed, encode_packed};

const MAX_MESSAGE_SIZE: usize = 1 << 20;

/// Of a chunk.
const KEY: ChunkKey = 1;

fn reader(stall_timeout: Duration) -> (DuplexStream, MessageReader<'static, DuplexStream>) {
    let (client, server) = duplex(1 << 16);
    let turnstile = Turnstile { room: QueueRoom::default(), trail: Box::leak(Box::new(AckTrail::new(0))) };
    (client, reader_of(server, turnstile, stall_timeout))
}

fn reader_of<R: AsyncRead + Unpin>(
    stream: R,
    turnstile: Turnstile<'_>,
    stall_timeout: Duration,
) -> MessageReader<'_, R> {
    let budget = Budget::new(4 << 20, MAX_MESSAGE_SIZE, IntGauge::new("in_flight", "bytes").unwrap());
    let shutdown = CancellationToken::new();
    let settings = ReaderSettings {
        max_message_size: MAX_MESSAGE_SIZE,
        stall_timeout,
        idle_timeout: None,
        reads_json: true,
        spool_above: MAX_MESSAGE_SIZE,
        disk_space: Space::of("/nowhere".as_ref(), &shutdown),
        spool_budget: Budget::new(1 << 30, 1 << 30, IntGauge::new("spool", "bytes").unwrap()),
        min_rate: 1_000_000,
        rate_window: Duration::from_millis(20),
        limits: ContentLimits::NONE,
    };
    let memory = MessageMemory::new(IntGauge::new("spare", "bytes").unwrap());
    MessageReader::new(stream, BytesMut::new(), &budget, &memory, turnstile, settings, shutdown)
}

#[tokio::test]
async fn a_large_message_that_comes_too_slowly_is_given_up_and_its_file_removed() {
    let data_dir = tempfile::tempdir().unwrap();
    let (mut client, mut reader) = reader(Duration::MAX);
    reader.framer = Framer::new(1 << 16);
    reader.settings.disk_space = Space::of(data_dir.path(), &reader.shutdown);
    reader.settings.disk_space.folder().prepare().unwrap();
    let entries = b"\x92\x01\x80".repeat(50_000);
    let bytes = encode_packed(&Packed { tag: b"t", entries: &entries, count: 0, chunk: None, gzip: false });
    let sent = tokio::spawn(async move {
        // Silent in the middle.
        client.write_all(&bytes[..100_000]).await.unwrap();
        client
    });
    let given_up = reader.next().await;
    assert!(matches!(given_up, Err(ReadError::TooSlow { received: 100_000, .. })), "{given_up:?}");
    drop(sent.await.unwrap());
    assert_eq!(std::fs::read_dir(reader.settings.disk_space.folder().path()).unwrap().count(), 0);
}

fn message(length: usize) -> Vec<u8> {
    let entries = vec![b'x'; length];
    encode_packed(&Packed { tag: b"t", entries: &entries, count: 0, chunk: None, gzip: false })
}

#[tokio::test]
async fn an_idle_connection_holds_no_buffer() {
    let (mut client, mut reader) = reader(Duration::MAX);
    client.write_all(&message(10)).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    assert!(
        pin!(reader.next()).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    );
    assert_eq!(reader.framer.buffer().capacity(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_message_is_begun_without_room_for_it_and_its_peer_is_not_to_blame() {
    let (mut client, mut reader) = reader(Duration::MAX);
    reader.settings.idle_timeout = Some(Duration::from_secs(1));
    let queued = reader.turnstile.room.take(MAX_QUEUED);
    client.write_all(&message(10)).await.unwrap();
    assert!(timeout(Duration::from_secs(60), reader.next()).await.is_err());
    assert_eq!(reader.buffered(), 0);
    drop(queued);
    assert!(reader.next().await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_waiting_for_its_peer_begins_no_message_either() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let room = reader.turnstile.room.clone();
    let mut next = pin!(reader.next());
    assert!(timeout(Duration::from_secs(1), next.as_mut()).await.is_err());
    let queued = room.take(MAX_QUEUED);
    client.write_all(&message(10)).await.unwrap();
    assert!(timeout(Duration::from_secs(1), next.as_mut()).await.is_err());
    drop(queued);
    assert!(next.await.unwrap().is_some());
}

#[tokio::test]
async fn what_comes_while_something_is_unacknowledged_is_read_whatever_room_there_is() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let _queued = reader.turnstile.room.take(MAX_QUEUED);
    reader.turnstile.trail.will_acknowledge();
    client.write_all(&message(10)).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
}

#[tokio::test]
async fn waiting_for_room_hides_nothing_of_what_a_sender_knew() {
    // Whether the second message comes when the first is acknowledged, or before.
    for is_in_order in [true, false] {
        let trail = AckTrail::new(0);
        let (mut client, server) = duplex(1 << 16);
        let turnstile = Turnstile { room: QueueRoom::default(), trail: &trail };
        let room = turnstile.room.clone();
        let watched = Watched { stream: server, trail: &trail };
        let mut reader = reader_of(watched, turnstile, Duration::MAX);
        client.write_all(&message(10)).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        assert_eq!(trail.next_chunk(Some(KEY)).acknowledged, None);
        trail.will_acknowledge();
        read_a_part(&mut reader).await;
        let queued = room.take(MAX_QUEUED);
        let acknowledge = || {
            trail.acknowledging(1);
            trail.acknowledged();
        };
        if is_in_order {
            acknowledge();
            client.write_all(&message(10)).await.unwrap();
            read_a_part(&mut reader).await;
            assert_eq!(reader.buffered(), 0, "there is no room");
            drop(queued);
            assert!(reader.next().await.unwrap().is_some());
        } else {
            client.write_all(&message(10)).await.unwrap();
            assert!(reader.next().await.unwrap().is_some(), "it is read before the acknowledgement goes out");
            acknowledge();
        }
        let shown = AckProof { acknowledged: Some(KEY), sent_after: 1 };
        assert_eq!(trail.next_chunk(None), if is_in_order { shown } else { AckProof::default() });
    }
}

#[tokio::test]
async fn announcing_a_large_message_gets_no_memory_for_it() {
    let (mut client, mut reader) = reader(Duration::MAX);
    client.write_all(b"\x92\xa1t\xc6\x00\x0f\x00\x00").await.unwrap();
    assert!(
        pin!(reader.next()).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    );
    assert!(reader.framer.buffer().capacity() + reader.room.len() < 4 * READ_SIZE);
}

#[tokio::test]
async fn whoever_sent_a_whole_message_gets_the_memory_for_its_like_at_once() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let first = message(300_000);
    let sent = tokio::spawn(async move {
        client.write_all(&first).await.unwrap();
        // The beginning is all that comes of another one.
        client.write_all(&message(300_000)[..READ_SIZE]).await.unwrap();
        client
    });
    assert!(reader.next().await.unwrap().is_some());
    let _client = sent.await.unwrap();
    assert!(
        pin!(reader.next()).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    );
    let capacity = reader.framer.buffer().capacity() + reader.room.len();
    assert!((300_000..600_000).contains(&capacity), "{capacity}");
}

/// Reads what there is, of which nothing is whole.
async fn read_a_part<R: AsyncRead + Unpin>(reader: &mut MessageReader<'_, R>) {
    let mut next = pin!(reader.next());
    let nothing = poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending()));
    assert!(nothing.await);
}

#[tokio::test]
async fn a_short_message_stays_where_it_is_when_what_follows_its_entries_comes() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let entries = vec![b'x'; 40_000];
    let chunk = Some(&b"an id"[..]);
    let bytes = encode_packed(&Packed { tag: b"t", entries: &entries, count: 9, chunk, gzip: false });
    let end = bytes.len() - 10;
    // Of a length that nobody knew before, and of one that was there already.
    for _ in 0..2 {
        client.write_all(&bytes[..end]).await.unwrap();
        read_a_part(&mut reader).await;
        assert_eq!(reader.buffered(), end);
        let place = reader.framer.buffer().as_ptr();
        client.write_all(&bytes[end..]).await.unwrap();
        let Incoming::InMemory(received) = reader.next().await.unwrap().unwrap().message else {
            panic!("it is short enough for memory")
        };
        assert_eq!((received.as_ptr(), &received[..]), (place, &bytes[..]));
    }
}

#[tokio::test]
async fn a_short_message_like_the_last_one_comes_into_memory_of_its_size() {
    let (mut client, mut reader) = reader(Duration::MAX);
    client.write_all(&message(40_000)).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    read_a_part(&mut reader).await;
    client.write_all(&message(40_000)[..READ_SIZE / 2]).await.unwrap();
    read_a_part(&mut reader).await;
    let capacity = reader.framer.buffer().capacity();
    assert!((40_000..40_000 + 2 * WORTH_READING).contains(&capacity), "{capacity}");
}

#[tokio::test]
async fn a_message_does_not_outgrow_its_memory_with_what_follows_its_entries() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let entries = vec![b'x'; 300_000];
    let chunk = Some(&b"an id"[..]);
    let bytes = encode_packed(&Packed { tag: b"t", entries: &entries, count: 9, chunk, gzip: false });
    let sent = tokio::spawn(async move {
        for _ in 0..3 {
            client.write_all(&bytes).await.unwrap();
        }
        client
    });
    for _ in 0..3 {
        let Incoming::InMemory(message) = reader.next().await.unwrap().unwrap().message else {
            panic!("it is short enough for memory")
        };
        drop(message);
        // Memory that had grown once more would have as much again.
        let back = reader.memory.take(entries.len());
        assert!(back.len() < entries.len() + 2 * READ_SIZE, "{}", back.len());
    }
    let _client = sent.await.unwrap();
}

#[tokio::test]
async fn a_message_takes_its_own_size_of_the_budget() {
    let (mut client, mut reader) = reader(Duration::MAX);
    let bytes = message(300_000);
    let writer = tokio::spawn(async move {
        for part in [&message(300_000)[..], &message(10)] {
            client.write_all(part).await.unwrap();
        }
        client
    });
    let large = reader.next().await.unwrap().unwrap();
    assert!(matches!(large.message, Incoming::InMemory(message) if message == bytes));
    assert_eq!(large.reservation.size(), bytes.len());
    let small = reader.next().await.unwrap().unwrap();
    assert_eq!(small.reservation.size() as u64, small.message.length());
    drop(writer.await.unwrap());
    assert!(reader.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_stops_coming_is_given_up() {
    let (mut client, mut reader) = reader(Duration::from_millis(10));
    client.write_all(&message(10)).await.unwrap();
    client.write_all(&message(10)[..5]).await.unwrap();
    assert!(reader.next().await.unwrap().is_some());
    assert!(matches!(reader.next().await, Err(ReadError::Stalled { buffered: 5, .. })));
}

#[tokio::test]
async fn an_end_inside_a_message_is_no_end_between_messages() {
    let (mut client, mut reader) = reader(Duration::MAX);
    client.write_all(&message(10)[..5]).await.unwrap();
    drop(client);
    assert!(matches!(reader.next().await, Err(ReadError::CutShort(5))));
}
