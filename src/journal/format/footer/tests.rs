use super::bytes::ACKNOWLEDGED_LENGTH;
use super::*;

fn footer() -> Footer {
    let mut footer = Footer::default();
    for (index, sender) in ["a", "b", "a"].into_iter().enumerate() {
        let received_at = 1_000 + index as i64;
        footer.counts.add(10, received_at);
        footer.add_id(&sender.into(), received_at, chunk_key(b"tag", &[index as u8]));
        footer.add_acknowledged(&sender.into(), index as ChunkKey);
    }
    footer
}

#[test]
fn a_footer_reads_back() {
    let mut bytes = Vec::new();
    footer().write(&mut bytes);
    assert_eq!(bytes.len() as u64, footer().payload_length());
    let read = Footer::read(&bytes).unwrap();
    assert_eq!(read, footer());
    assert_eq!(read.counts.chunks, 3);
    assert_eq!(read.counts.entries, 30);
    assert_eq!((read.counts.first_received_at, read.counts.last_received_at), (1_000, 1_002));
    let noted: Vec<_> = read
        .noted()
        .map(|noted| match noted {
            Noted::Id(FooterId { sender, received_at, .. }) => (sender, received_at),
            Noted::Acknowledged { sender, key } => (sender, key as i64),
        })
        .collect();
    let expected = [("a", 1_000), ("a", 0), ("b", 1_001), ("b", 1), ("a", 1_002), ("a", 2)];
    assert_eq!(noted, expected.map(|(sender, number)| (Arc::from(sender), number)));
}

#[test]
fn of_what_came_again_and_again_the_last_time_is_kept_and_what_was_known_first_behind_it() {
    let mut footer = Footer::default();
    let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
    for received_at in 0..3 {
        footer.add_acknowledged(&a, 7);
        footer.add_id(&a, received_at, 7);
        footer.add_id(&b, received_at, 7);
        footer.add_acknowledged(&b, 5);
        footer.add_id(&a, received_at, 8);
    }
    footer.add_acknowledged(&a, 7);
    footer.add_acknowledged(&a, 7);
    let expected = [
        Noted::Acknowledged { sender: b.clone(), key: 5 },
        Noted::Id(FooterId { sender: a.clone(), received_at: 2, key: 7 }),
        Noted::Id(FooterId { sender: b.clone(), received_at: 2, key: 7 }),
        Noted::Id(FooterId { sender: a.clone(), received_at: 2, key: 8 }),
        Noted::Acknowledged { sender: a.clone(), key: 7 },
    ];
    assert!(footer.only(|_| true).noted().eq(expected.clone()));
    assert!(footer.only(|noted| matches!(noted, Noted::Id(_))).noted().eq(expected[1..4].to_vec()));
}

#[test]
fn what_was_known_before_the_first_id_stands_before_it() {
    let mut footer = Footer::default();
    footer.add_acknowledged(&"a".into(), 1);
    footer.add_acknowledged(&"b".into(), 2);
    footer.add_id(&"a".into(), 0, 3);
    let keys: Vec<_> = footer
        .noted()
        .map(|noted| match noted {
            Noted::Id(id) => id.key,
            Noted::Acknowledged { key, .. } => key,
        })
        .collect();
    assert_eq!(keys, [1, 2, 3]);
}

#[test]
fn a_footer_of_before_there_were_acknowledgements_reads_as_one_without() {
    let mut bytes = Vec::new();
    footer().write(&mut bytes);
    let read = Footer::read(&bytes[..bytes.len() - 3 * ACKNOWLEDGED_LENGTH]).unwrap();
    assert!(read.acknowledged.is_empty() && read.ids == footer().ids);
}

#[test]
fn growth_is_what_a_chunk_adds() {
    let mut footer = footer();
    for (sender, shows_acknowledgement) in [("a", false), ("a", true), ("somebody new", true), ("x", false)] {
        let expected = footer.payload_length() + footer.growth(sender, shows_acknowledgement);
        if shows_acknowledgement {
            footer.add_acknowledged(&sender.into(), 0);
        }
        footer.add_id(&sender.into(), 0, 0);
        assert_eq!(footer.payload_length(), expected);
    }
}

#[test]
fn a_footer_cut_anywhere_is_none() {
    let mut bytes = Vec::new();
    footer().write(&mut bytes);
    let whole_without_some: Vec<_> = (1..=3).map(|less| bytes.len() - less * ACKNOWLEDGED_LENGTH).collect();
    for length in (0..bytes.len()).filter(|length| !whole_without_some.contains(length)) {
        assert_eq!(Footer::read(&bytes[..length]), None, "{length}");
    }
}

#[test]
fn tag_and_id_do_not_run_into_each_other() {
    assert_ne!(chunk_key(b"ab", b"c"), chunk_key(b"a", b"bc"));
    assert_eq!(chunk_key(b"a", b"b"), chunk_key(b"a", b"b"));
}
