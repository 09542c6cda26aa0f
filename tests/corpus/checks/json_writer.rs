//! JSON: whatever the record holds, the line is one line of valid JSON.

use hikyaku::pipeline::json::{write_key, write_value};
use hikyaku::wire::msgpack::skip;
use serde::Deserialize;

pub(crate) fn check(bytes: &[u8]) {
    let mut line = Vec::new();
    write_value(&mut line, bytes);
    assert_is_json(&line);
    if let Ok(end) = skip(bytes, 0) {
        let mut key = Vec::new();
        write_key(&mut key, &bytes[..end]);
        assert!(serde_json::from_slice::<String>(&key).is_ok(), "{}", String::from_utf8_lossy(&key));
    }
}

fn assert_is_json(line: &[u8]) {
    assert!(!line.contains(&b'\n'));
    let mut reader = serde_json::Deserializer::from_slice(line);
    reader.disable_recursion_limit();
    let valid = serde::de::IgnoredAny::deserialize(&mut reader).and_then(|_| reader.end());
    assert!(valid.is_ok(), "{valid:?}: {}", String::from_utf8_lossy(line));
}
