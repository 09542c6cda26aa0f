#![no_main]

#[path = "../../tests/corpus/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::tls_records::check(bytes));
