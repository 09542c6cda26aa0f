use super::*;
use crate::config::{Config, StartAt};
use crate::journal::{Position, Status};

const SEGMENT_SIZE: u64 = 64 * 1024;

pub(super) fn given_up(data_dir: &Path) -> GivenUp {
    GivenUp::open(&config(data_dir), &Metrics::new("test", 10)).unwrap().expect("an output can give up")
}

pub(super) fn config(data_dir: &Path) -> Config {
    let text = format!(
        "[server]\ndata_dir = '{}'\n[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n\
         [[output]]\nid = 'up'\ntype = 'forward'\nmatch = '**'\nchunk_size = '8MiB'\nretry_timeout = '1s'\n\
         servers = [{{ address = '127.0.0.1:1' }}]\n",
        data_dir.display()
    );
    let mut config = Config::parse(&text, None, &|_| None).unwrap();
    config.journal.segment_size = SEGMENT_SIZE;
    config.inputs[0].max_entry_size = 4096;
    config
}

/// A run of entries of about so many bytes, and how many they are.
pub(super) fn run(length: usize) -> (Bytes, u32) {
    let mut entry = b"\x92\x01\x81\xa1a\xc5\x03\xf6".to_vec();
    entry.resize(1022, b'x');
    let count = length / entry.len();
    (entry.repeat(count).into(), count as u32)
}

pub(super) fn abandoned(id: &'static [u8], (entries, entry_count): (Bytes, u32)) -> Abandoned {
    let sender = Sender::from_address([127, 0, 0, 1].into());
    let handed_over = HandedOver {
        from: "up".to_owned(),
        to: "@dead-letters".to_owned(),
        journal: String::new(),
        segment: 1,
        offset: 64,
        first: 7,
        end: 7 + entry_count,
        reason: "not delivered".to_owned(),
        attempts: 1,
        in_doubt: false,
        as_received: None,
        file: None,
        message_id: "id".to_owned(),
        chunk: None,
    };
    Abandoned {
        sender,
        input: "edge".into(),
        received_at: EventTime::now(),
        tag: Bytes::from_static(b"app"),
        entries,
        encoding: Encoding::Plain,
        entry_count,
        id: Bytes::from_static(id),
        handed_over,
    }
}

#[tokio::test]
async fn what_just_fits_into_a_segment_and_what_does_not_are_both_taken_whole() {
    let folder = tempfile::tempdir().unwrap();
    let given_up = given_up(folder.path());
    // Without an output that has still to read it, the first segment goes as soon as there is a second one.
    let _held = given_up.journal().attach("up", StartAt::Oldest).unwrap();
    // A segment holds the first, not the second, and the third is several pieces.
    let runs = [run(62 * 1022), run(64 * 1022), run(6 << 20)];
    for (id, run) in [&b"1"[..], b"2", b"3"].into_iter().zip(&runs) {
        given_up.take(abandoned(id, run.clone())).await.unwrap();
    }
    let mut reader = given_up.journal().reader(Position::new(1, 64));
    for (index, (entries, count)) in runs.into_iter().enumerate() {
        let (mut read, mut events, mut pieces) = (Vec::new(), 0, 0);
        while events < count {
            let chunk = reader.try_next().unwrap().expect("all of it is there");
            assert_eq!(chunk.handed_over().unwrap().first, 7);
            assert_eq!((chunk.is_piece, chunk.first_index()), (index > 0, events));
            read.extend_from_slice(chunk.entries());
            events += chunk.entry_count();
            pieces += 1;
        }
        assert!(read == entries && events == count);
        assert_eq!(pieces, [1, 1, 2][index]);
    }
    assert!(reader.try_next().unwrap().is_none());
    given_up.journal().close().await;
}

#[tokio::test]
async fn the_journal_has_room_for_the_largest_message_of_its_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let given_up = given_up(folder.path());
    // The largest one: eight MiB, and an entry that goes beyond.
    for id in [&b"1"[..], b"2"] {
        given_up.take(abandoned(id, run((8 << 20) + 4096))).await.unwrap();
        assert!(given_up.journal().bytes_on_disk() > 8 << 20);
    }
    given_up.journal().close().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_message_waits_until_its_file_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let given_up = given_up(folder.path());
    let spools = given_up.journal().spools().path().to_owned();
    std::fs::remove_dir(&spools).unwrap();
    let mut taking = std::pin::pin!(given_up.take(abandoned(b"1", run(1 << 20))));
    tokio::time::timeout(5 * RETRY, &mut taking).await.expect_err("nowhere to write it");
    std::fs::create_dir(&spools).unwrap();
    taking.await.unwrap();
    given_up.journal().close().await;
}

#[tokio::test]
async fn an_output_that_gives_nothing_up_is_in_nobodys_way_once_it_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let given_up = given_up(folder.path());
    let (mut idle, _) = Hold::open(&given_up, "idle", "").unwrap();
    let mut status = given_up.journal().status();
    let filling = tokio::spawn({
        let given_up = given_up.clone();
        async move {
            for number in 0..200_u32 {
                let id = number.to_string().into();
                given_up.take(Abandoned { id, ..abandoned(b"", run(60 * 1022)) }).await.unwrap();
            }
        }
    });
    status.wait_for(|status| *status == Status::Full).await.unwrap();
    assert!(!filling.is_finished());
    while !filling.is_finished() {
        idle.release(Position::new(1, 64)).unwrap();
        tokio::task::yield_now().await;
    }
    filling.await.unwrap();
    given_up.journal().close().await;
}

#[tokio::test]
async fn operators_are_told_while_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let given_up = given_up(folder.path());
    given_up.journal().attach("behind", crate::config::StartAt::Oldest).unwrap();
    assert_eq!(given_up.refusal(), None);
    let mut status = given_up.journal().status();
    let filling = async {
        for number in 0_u64.. {
            let more = Abandoned { id: number.to_be_bytes().to_vec().into(), ..abandoned(b"", run(4 << 20)) };
            given_up.take(more).await.unwrap();
        }
    };
    tokio::select! {
        () = filling => unreachable!("it has a limit"),
        full = status.wait_for(|status| *status == Status::Full) => drop(full.unwrap()),
    }
    let told = given_up.refusal().unwrap();
    assert!(told.contains("given-up is full") && told.contains("journal ls"), "{told}");
    given_up.journal().close().await;
}
