//! A relay in this process, upstreams that do what a test says, and entries.

pub(crate) mod relay;
pub(crate) mod upstream;

use std::io::Write as _;
use std::time::Duration;

/// Far longer than anything here takes; a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long a test waits to see that nothing happens.
pub(crate) const NOTHING: Duration = Duration::from_millis(100);

/// `[1, {"a": 1}]`
pub(crate) const ENTRY: &[u8] = b"\x92\x01\x81\xa1a\x01";

/// What [`ENTRY`] is when it was decoded and encoded anew.
pub(crate) const REENCODED: &[u8] = b"\x92\xd7\x00\0\0\0\x01\0\0\0\0\x81\xa1a\x01";

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Fails a test that waits for what does not come.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}
