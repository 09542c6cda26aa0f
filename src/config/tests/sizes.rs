//! Sizes that have to fit into each other: messages, segments, the journal, and what is under way.

use super::*;

#[test]
fn the_journal_takes_two_segments_and_the_largest_message() {
    let with_journal = with_section("[journal]");
    assert_accepted(&with_journal, &["max_size = \"448MiB\"", "segment_size = \"16MiB\""]);
    assert_refused(
        with_journal,
        &[
            ("max_size = 469762047", "`max_message_size` (335544320 bytes) and two segments are more"),
            ("segment_size = 16777214", "`spool_above` (8388608 bytes) is more than half of `[journal]`"),
            ("dedup_max_ids = 99999", "greater than `dedup_max_ids`"),
        ],
    );
}

#[test]
fn the_journal_takes_three_segments_where_messages_are_small() {
    let with_journal = |keys: &str| {
        with_section("[journal]")(keys).replace("[[input]]", "[[input]]\nmax_message_size = \"8MiB\"")
    };
    assert_accepted(with_journal, &["max_size = \"192MiB\""]);
    assert_refused(
        with_journal,
        &[
            ("max_size = 201326591", "2:12: `max_size` (201326591 bytes) must be at least 3 ×"),
            ("segment_size = 16777214", "`max_message_size` (8388608 bytes) is more than half"),
        ],
    );
}

#[test]
fn a_backlog_is_between_a_segment_and_the_journal() {
    assert_accepted(with_output, &["max_backlog = \"64MiB\"", "max_backlog = \"2GiB\""]);
    for bytes in [67_108_863u64, 2_147_483_649] {
        let problem = "`max_backlog` is not between `[journal]` `segment_size` (67108864 bytes)";
        assert_problem(&with_output(&format!("max_backlog = {bytes}")), problem);
    }
}

#[test]
fn a_message_fits_into_what_may_be_under_way() {
    assert_accepted(
        with_input,
        &[
            // An entry and what a spooled message needs besides; or the largest message in memory.
            "max_in_flight = \"17MiB\"",
            "max_message_size = \"8MiB\"\nmax_in_flight = \"8MiB\"",
            "max_inflated_size = \"320MiB\"",
            "max_spool_size = \"320MiB\"",
            "max_message_size = \"8MiB\"\nmax_spool_size = \"1MiB\"",
            "max_depth = 128\nmax_inflate_ratio = 1\nmin_rate = 0",
        ],
    );
    assert_refused(
        with_input,
        &[
            ("max_in_flight = 17825791", "less than the 17825792 that one message can take"),
            ("max_message_size = \"8MiB\"\nmax_in_flight = 8388607", "less than the 8388608"),
            ("max_inflated_size = 335544319", "less than `max_message_size` (335544320)"),
            ("max_spool_size = 335544319", "less than `max_message_size` (335544320)"),
            ("max_depth = 129", "out of range: expected integer, 1 to 128"),
            ("max_inflate_ratio = 0", "out of range: expected integer, 1 to 1000000"),
        ],
    );
}
