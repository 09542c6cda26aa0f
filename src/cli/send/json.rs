//! JSON as msgpack.

use serde_json::Value;

use crate::event_time::EventTime;
use crate::wire::msgpack::{
    write_array, write_bool, write_f64, write_i64, write_map, write_nil, write_str, write_u64,
};
use crate::wire::time::write_time;

/// A line that is no event.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("no JSON: {what} at column {column}")]
    Json { what: String, column: usize },
    #[error("a JSON object is expected, as {{\"message\":\"hello\"}}")]
    NoObject,
}

impl From<serde_json::Error> for LineError {
    /// Whose lines are of another count: the text that it sees is one.
    fn from(error: serde_json::Error) -> Self {
        let (text, column) = (error.to_string(), error.column());
        let place = format!(" at line {} column {column}", error.line());
        Self::Json { what: text.strip_suffix(&place).unwrap_or(&text).to_owned(), column }
    }
}

/// Appends one entry, `[time, record]`, for a line of JSON.
pub(super) fn write_entry(out: &mut Vec<u8>, time: EventTime, line: &[u8]) -> Result<(), LineError> {
    let record: Value = serde_json::from_slice(line.trim_ascii_end())?;
    if !record.is_object() {
        return Err(LineError::NoObject);
    }
    write_array(out, 2);
    write_time(out, time);
    write_value(out, &record);
    Ok(())
}

/// serde_json bounds the depth of what it reads, so this recursion is bounded as well.
fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => write_nil(out),
        Value::Bool(value) => write_bool(out, *value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => write_u64(out, number),
            (None, Some(number)) => write_i64(out, number),
            (None, None) => write_f64(out, number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => write_str(out, text.as_bytes()),
        Value::Array(values) => {
            write_array(out, values.len() as u32);
            values.iter().for_each(|value| write_value(out, value));
        }
        Value::Object(fields) => {
            write_map(out, fields.len() as u32);
            for (key, value) in fields {
                write_str(out, key.as_bytes());
                write_value(out, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_an_entry() {
        let mut out = Vec::new();
        let time = EventTime::new(1, 2).unwrap();
        write_entry(&mut out, time, b"{\"a\":[1,-1,1.5,null,true,\"x\"]}\n").unwrap();
        let mut expected = b"\x92\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02\x81\xa1a\x96\x01\xff\xcb".to_vec();
        expected.extend_from_slice(&1.5f64.to_be_bytes());
        expected.extend_from_slice(b"\xc0\xc3\xa1x");
        assert_eq!(out, expected);
    }

    #[test]
    fn a_mistake_is_told_by_its_column() {
        let error = write_entry(&mut Vec::new(), EventTime::new(1, 0).unwrap(), b"{\"a\":\n").unwrap_err();
        assert_eq!(error.to_string(), "no JSON: EOF while parsing a value at column 5");
    }

    #[test]
    fn lines_that_are_no_events_leave_nothing_behind() {
        let mut out = Vec::new();
        let time = EventTime::new(1, 0).unwrap();
        for line in [&b"hello"[..], b"1", b"[1]", b"\"x\"", b"{\"a\":", b""] {
            assert!(write_entry(&mut out, time, line).is_err());
            assert!(out.is_empty());
        }
    }
}
