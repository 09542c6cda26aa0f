use super::*;
use crate::storage::disk;

fn at(offset: u64) -> Position {
    Position { segment: 1, offset, entry: 0 }
}

fn open(folder: &Path, cursor: u64) -> SentLog {
    SentLog::open(&disk(), folder, "up", at(cursor))
}

#[test]
fn where_messages_went_last_is_known_to_the_next_process_from_its_cursor_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path(), 0);
    for (id, offset, address) in
        [("a", 64, "one:1"), ("b", 128, "one:1"), ("c", 192, "two:2"), ("b", 128, "two:2")]
    {
        log.note(id.as_bytes(), at(offset), address);
    }
    assert_eq!(log.take(b"a"), None, "of this process");
    drop(log);
    let log = open(folder.path(), 128);
    assert_eq!(log.take(b"a"), None, "delivered");
    assert_eq!(log.take(b"b").as_deref(), Some("two:2"));
    assert_eq!(log.take(b"b"), None, "told once");
    assert_eq!(log.take(b"c").as_deref(), Some("two:2"));
}

#[test]
fn a_log_cut_anywhere_keeps_its_whole_records_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent/up.sent");
    let log = open(folder.path(), 0);
    log.note(b"a", at(64), "one:1");
    let first = std::fs::read(&path).unwrap().len();
    log.note(b"b", at(128), "two:2");
    let whole = std::fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let log = open(folder.path(), 0);
        assert_eq!(log.take(b"a").is_some(), length >= first, "{length}");
        assert_eq!(log.take(b"b").is_some(), length == whole.len(), "{length}");
        log.note(b"c", at(192), "three:3");
        let log = open(folder.path(), 0);
        assert_eq!(log.take(b"c").as_deref(), Some("three:3"), "{length}");
        assert_eq!(log.take(b"a").is_some(), length >= first, "{length}");
    }
}

#[test]
fn a_damaged_record_ends_the_log_and_what_is_no_log_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent/up.sent");
    let log = open(folder.path(), 0);
    log.note(b"a", at(64), "one:1");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    for bytes in [bytes, b"something else, and longer than a header".to_vec()] {
        std::fs::write(&path, bytes).unwrap();
        let log = open(folder.path(), 0);
        assert_eq!(log.take(b"a"), None);
        log.note(b"b", at(64), "two:2");
        assert_eq!(open(folder.path(), 0).take(b"b").as_deref(), Some("two:2"));
    }
}

#[test]
fn a_long_log_forgets_what_lies_before_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent/up.sent");
    let log = open(folder.path(), 0);
    let length = || std::fs::metadata(&path).map_or(0, |file| file.len());
    let mut offset = 0;
    let mut note_until = |longer_than: u64| {
        while length() <= longer_than {
            offset += 64;
            log.note(&[7; 10_000], at(offset), "one:1");
        }
        offset
    };
    note_until(MAX_LENGTH);
    log.saved(at(0));
    assert!(length() > MAX_LENGTH, "all of it is still needed");
    let offset = note_until(2 * MAX_LENGTH + 50_000);
    log.note(b"last", at(offset), "one:1");
    log.saved(at(offset));
    assert!(length() < 11_000, "{}", length());
    log.note(b"next", at(offset + 64), "two:2");
    let log = open(folder.path(), offset);
    assert_eq!(log.take(b"last").as_deref(), Some("one:1"));
    assert_eq!(log.take(b"next").as_deref(), Some("two:2"));
}
