//! Compressed entries: never more than the limit, and never a panic.

use bytes::Bytes;
use hikyaku::chunk::Encoding;
use hikyaku::wire::compression::inflate;
use hikyaku::wire::message::Message;
use hikyaku::wire::options::Options;

const LIMIT: usize = 1 << 16;

pub(crate) fn check_gzip(bytes: &[u8]) {
    check(Encoding::Gzip, bytes);
}

pub(crate) fn check_zstd(bytes: &[u8]) {
    check(Encoding::Zstd, bytes);
}

fn check(encoding: Encoding, bytes: &[u8]) {
    let mut inflated = Vec::new();
    let result = inflate(encoding, bytes, LIMIT, &mut inflated);
    assert!(inflated.len() <= LIMIT + 1);
    let entries = Bytes::copy_from_slice(bytes);
    let options = Options { encoding, ..Options::default() };
    let message = Message { tag: Bytes::new(), entries, encoding, options };
    let contents = message.contents(LIMIT, &mut Vec::new());
    assert!(result.is_ok() || contents.is_err(), "what does not inflate is not taken");
}
