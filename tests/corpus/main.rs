//! What fuzzing found interesting, kept as ordinary tests: each file in `tests/fixtures/corpus/TARGET/` goes through the
//! check that `fuzz/fuzz_targets/TARGET.rs` runs.

#![allow(clippy::unwrap_used)]

mod checks;

use std::path::Path;

fn check_all(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/corpus").join(target);
    let mut count = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        check(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn decoder() {
    check_all("decoder", checks::decoder::check);
}

#[test]
fn handshake() {
    check_all("handshake", checks::handshake::check);
}

#[test]
fn gzip() {
    check_all("gzip", checks::inflation::check_gzip);
}

#[test]
fn zstd() {
    check_all("zstd", checks::inflation::check_zstd);
}

#[test]
fn json_writer() {
    check_all("json_writer", checks::json_writer::check);
}

#[test]
fn tls_records() {
    check_all("tls_records", checks::tls_records::check);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn tls_records_of_any_script(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        checks::tls_records::check(&bytes);
    }
}
