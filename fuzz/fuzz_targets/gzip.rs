#![no_main]

#[path = "../../tests/corpus/checks/mod.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::inflation::check_gzip(bytes));
