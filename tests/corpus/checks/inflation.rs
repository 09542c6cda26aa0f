//! Compressed entries: never more than the limit, and never a panic.

use bytes::Bytes;
use hikyaku::chunk::Encoding;
use hikyaku::wire::compression::inflate;
use hikyaku::wire::contents::ContentsChecker;
use hikyaku::wire::limits::ContentLimits;
use hikyaku::wire::message::Message;
use hikyaku::wire::options::Options;

const LIMIT: usize = 1 << 16;

pub(crate) fn check_gzip(bytes: &[u8]) {
    check(Encoding::Gzip, bytes);
}

pub(crate) fn check_zstd(bytes: &[u8]) {
    check(Encoding::Zstd, bytes);
}

/// What goes through memory and what goes through a file are judged alike.
fn check(encoding: Encoding, bytes: &[u8]) {
    let mut inflated = Vec::new();
    let result = inflate(encoding, bytes, LIMIT, &mut inflated);
    assert!(inflated.len() <= LIMIT + 1);
    let entries = Bytes::copy_from_slice(bytes);
    let options = Options { encoding, ..Options::default() };
    let message = Message { tag: Bytes::new(), entries, encoding, options };
    let limits = ContentLimits { max_inflated_size: LIMIT as u64, ..ContentLimits::NONE };
    let contents = message.contents(&limits);
    assert!(result.is_ok() || contents.is_err(), "what does not inflate is not taken");

    for length in [1, 7, 1000] {
        let mut checker = ContentsChecker::new(encoding, bytes.len() as u64, &limits);
        let taken = bytes.chunks(length).try_for_each(|part| checker.take(part).map(drop));
        let streamed = taken.and_then(|()| checker.finish());
        assert_eq!(streamed.as_ref().ok(), contents.as_ref().ok(), "{streamed:?}, not {contents:?}");
    }
}
