//! From a chunk to the messages of it that are still to be delivered.

use super::message::Message;
use super::packer::Packer;
use crate::journal::{Position, StoredChunk};
use crate::output::given_up::Taken;

/// What is to be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be sent.
    Sending,
    /// Nothing: it was given up before the output was started, and is durable elsewhere.
    Nothing,
}

/// Tells `take` about the messages of a chunk, but for those before the entry at which the output went on.
///
/// # Errors
///
/// What `take` returns; what is behind that message is not packed.
pub(super) fn unpack<E>(
    packer: &mut Packer,
    taken: &Taken,
    resumed_at: Position,
    chunk: &StoredChunk,
    mut take: impl FnMut(Message, Due) -> Result<(), E>,
) -> Result<(), E> {
    let start = |position| Position { entry: 0, ..position };
    let skip = if start(chunk.position) == start(resumed_at) { resumed_at.entry } else { 0 };
    packer.pack(chunk, skip, |message| {
        let due = if taken.covers(&message.place) { Due::Nothing } else { Due::Sending };
        take(message, due)
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::chunk::Chunk;
    use crate::config::{Config, OutputKind};
    use crate::event_time::EventTime;
    use crate::journal::Journal;
    use crate::metrics::{JournalMetrics, Metrics};
    use crate::output::forward::message_id::MessageIds;
    use crate::pipeline::Pipeline;

    const ENTRIES: u32 = 100;

    fn config() -> Config {
        let text = r#"
            [[input]]
            id = "edge"
            type = "forward"
            listen = "127.0.0.1:24224"
            [[output]]
            id = "up"
            type = "forward"
            match = "**"
            servers = [{ address = "127.0.0.1:24225" }]
        "#;
        Config::parse(text, None, &|_| None).unwrap()
    }

    fn packer(config: &Config, journal: &Journal) -> Packer {
        let OutputKind::Forward(forward) = &config.outputs[0].kind else { panic!() };
        let pipeline = Pipeline::new(&[], &config.outputs, "relay");
        let selectors = [(); 2].map(|()| pipeline.selector("up").unwrap());
        let metrics = Metrics::new("relay", 10).output("up", "forward");
        Packer::new("up", forward, selectors, MessageIds::new(&journal.id(), "up", 0), metrics)
    }

    /// A journal with a chunk that is read in several pieces.
    async fn journal_with_a_large_chunk(config: &Config, folder: &std::path::Path) -> Journal {
        let journal = Journal::open(folder, &config.journal, JournalMetrics::unregistered()).unwrap();
        let mut spool = journal.spools().with_blocks_of(64).create().unwrap();
        for _ in 0..ENTRIES {
            spool.write(b"\x92\x01\x81\xa1a\xa9aaaaaaaaa").unwrap();
        }
        let chunk = Chunk {
            tag: "t".into(),
            received_at: EventTime::now(),
            entry_count: ENTRIES,
            ..Chunk::of_one(bytes::Bytes::new())
        };
        journal.append_large(chunk, spool.finish().unwrap()).await.unwrap().await.unwrap();
        journal
    }

    /// Where the messages of all pieces lie, for an output that went on somewhere.
    fn places(config: &Config, journal: &Journal, resumed_at: Position) -> Vec<std::ops::Range<Position>> {
        let mut packer = packer(config, journal);
        let mut reader = journal.reader(Position { entry: 0, ..resumed_at });
        let mut places = Vec::new();
        while let Some(chunk) = reader.try_next().unwrap() {
            let unpacked: Result<(), Infallible> =
                unpack(&mut packer, &Taken::default(), resumed_at, &chunk, |message, due| {
                    assert_eq!(due, Due::Sending, "nothing was given up");
                    places.push(message.place);
                    Ok(())
                });
            let Ok(()) = unpacked;
        }
        places
    }

    #[tokio::test]
    async fn pieces_of_a_large_chunk_before_the_cursor_are_not_sent_again() {
        let (config, folder) = (config(), tempfile::tempdir().unwrap());
        let journal = journal_with_a_large_chunk(&config, folder.path()).await;
        let all = places(&config, &journal, journal.oldest());
        assert!(all.len() > 3, "{all:?}");
        for (sent, place) in all.iter().enumerate() {
            assert_eq!(places(&config, &journal, place.start), all[sent..]);
        }
        journal.close().await;
    }
}
