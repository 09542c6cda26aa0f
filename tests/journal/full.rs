use std::future::poll_fn;
use std::task::Poll;

use hikyaku::config::StartAt;
use hikyaku::journal::{AppendError, Journal, Receipt, Status};

use crate::{Bench, SEGMENT_SIZE, append, chunk, contents, start};

/// Appends until the journal says that it is full; the receipt that is left waiting.
async fn fill(journal: &Journal) -> Receipt {
    let mut status = journal.status();
    loop {
        let mut receipt = journal.append(chunk(&[7; 10_000])).await.unwrap();
        tokio::select! {
            biased;
            appended = &mut receipt => { appended.unwrap(); }
            _ = status.wait_for(|status| *status == Status::Full) => return receipt,
        }
    }
}

#[tokio::test]
async fn at_the_size_limit_the_sender_waits_until_an_output_has_come_further() {
    let bench = Bench::new();
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    let mut receipt = fill(&journal).await;
    assert!(journal.bytes_on_disk() <= bench.config.max_size);
    assert!(poll_fn(|context| Poll::Ready(std::pin::pin!(&mut receipt).poll(context).is_pending())).await);
    assert_eq!(bench.metrics.journal.accepting.get(), 0);

    // Reading goes on meanwhile.
    let mut reader = journal.reader(start());
    let read = contents(&mut reader).len();
    assert!(read > 10);
    cursor.save(reader.position(), 1).unwrap();

    receipt.await.unwrap();
    assert_eq!(*journal.status().borrow(), Status::Accepting);
    assert_eq!(contents(&mut reader).len(), 1);
    journal.close().await;
}

#[tokio::test]
async fn a_full_journal_can_be_closed_and_keeps_what_it_has() {
    let bench = Bench::new();
    let journal = bench.try_open().unwrap();
    journal.attach("archive", StartAt::Oldest).unwrap();
    let receipt = fill(&journal).await;
    let kept = contents(&mut journal.reader(start())).len();
    journal.close().await;
    assert_eq!(receipt.await, Err(AppendError::Stopped));
    drop(journal);

    let journal = bench.try_open().unwrap();
    assert_eq!(contents(&mut journal.reader(start())).len(), kept);
    journal.close().await;
}

#[tokio::test]
async fn a_chunk_is_taken_up_to_the_size_of_a_segment() {
    let bench = Bench::new();
    let journal = bench.open();
    // What a segment holds besides the entries of a single chunk without an id, as the format draws it: header 64,
    // frame header 24, payload 20 and attributes (tag 16, sender 13, input 8, address 13), a footer of a frame
    // header and 40 bytes, room for one id and its sender, and a trailer of 24.
    let overhead = 64 + 24 + 20 + 50 + 24 + 40 + (32 + 4 + 9) + 24;
    let largest = SEGMENT_SIZE as usize - overhead - 16;
    append(&journal, chunk(&vec![0; largest])).await;
    let error = journal.append(chunk(&vec![0; largest + 24])).await.unwrap_err();
    assert_eq!(error, AppendError::TooLarge);
    journal.close().await;
}

#[tokio::test]
async fn a_closed_journal_takes_nothing() {
    let bench = Bench::new();
    let journal = bench.try_open().unwrap();
    journal.close().await;
    assert_eq!(journal.append(chunk(b"late")).await.unwrap_err(), AppendError::Stopped);
}
