use crate::{Bench, append, chunk, contents, start};

#[tokio::test]
async fn chunks_come_back_in_order_from_memory_and_from_disk() {
    for memory in [0, 1024 * 1024] {
        let mut bench = Bench::new();
        bench.config.memory = memory;
        bench.config.max_size = 100 * crate::SEGMENT_SIZE;
        let journal = bench.open();
        let mut expected = Vec::new();
        for number in 0..200u32 {
            expected.push(vec![b'x'; number as usize * 7]);
            append(&journal, chunk(expected.last().unwrap())).await;
        }
        assert!(contents(&mut journal.reader(start())) == expected, "memory {memory}");
        journal.close().await;
    }
}

#[tokio::test]
async fn what_is_stored_with_a_chunk_comes_back() {
    let bench = Bench::new();
    let journal = bench.open();
    append(&journal, crate::chunk_with_id(b"id\n", b"entries")).await;
    let stored = journal.reader(start()).try_next().unwrap().unwrap();
    assert_eq!(stored.position, start());
    assert_eq!(stored.tag(), b"nginx.access");
    assert_eq!(stored.id(), Some(&b"id\n"[..]));
    assert_eq!(stored.sender(), "127.0.0.1");
    assert_eq!(stored.input(), "edge");
    journal.close().await;
}

#[tokio::test]
async fn a_reader_that_caught_up_is_woken_by_the_next_chunk() {
    let bench = Bench::new();
    let journal = bench.open();
    let mut reader = journal.reader(start());
    assert!(reader.try_next().unwrap().is_none());
    let waiting = tokio::spawn(async move {
        reader.wait().await;
        contents(&mut reader)
    });
    append(&journal, chunk(b"news")).await;
    assert_eq!(waiting.await.unwrap(), [b"news"]);
    journal.close().await;
}

#[tokio::test]
async fn chunks_appended_at_the_same_time_share_syncs_and_are_all_kept() {
    let bench = Bench::new();
    let journal = bench.open();
    let mut receipts = Vec::new();
    for number in 0..100u8 {
        receipts.push(journal.append(chunk(&[number])).await.unwrap());
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    assert_eq!(contents(&mut journal.reader(start())).len(), 100);
    assert!(bench.metrics.journal.syncs.get() <= 100);
    journal.close().await;
}

#[tokio::test]
async fn bytes_behind_go_down_to_zero_as_a_reader_reads() {
    let bench = Bench::new();
    let journal = bench.open();
    append(&journal, chunk(&[1; 1000])).await;
    let mut reader = journal.reader(start());
    assert!(reader.bytes_behind() > 1000);
    contents(&mut reader);
    assert_eq!(reader.bytes_behind(), 0);
    journal.close().await;
}
