//! `[journal]` and `[dead_letters]`: what is kept, and what happens when it is full.

use super::*;

#[test]
fn a_full_journal_does_what_is_said() {
    for (text, expected) in
        [("block", WhenFull::Block), ("reject", WhenFull::Reject), ("drop_oldest", WhenFull::DropOldest)]
    {
        let config = parse(&with_section("[journal]")(&format!("when_full = \"{text}\""))).unwrap();
        assert_eq!(config.journal.when_full, expected);
    }
}

#[test]
fn dead_letters_have_a_limit_of_a_gibibyte_or_what_is_said() {
    let with_dead_letters = with_section("[dead_letters]");
    assert_eq!(parse(MINIMAL).unwrap().dead_letters.max_size, 1 << 30);
    let limited = parse(&with_dead_letters("max_size = \"1MiB\"")).unwrap();
    assert_eq!(limited.dead_letters.max_size, 1 << 20);
    assert_refused(with_dead_letters, &[("max_size = 1048575", "out of range")]);
}

#[test]
fn chunk_ids_of_removed_segments_have_a_limit_of_their_own() {
    assert_eq!(parse(MINIMAL).unwrap().journal.dedup_max_size, 256 << 20);
    let with_journal = with_section("[journal]");
    assert_accepted(&with_journal, &["dedup_max_size = \"1MiB\""]);
    assert_refused(with_journal, &[("dedup_max_size = 1048575", "out of range")]);
}
