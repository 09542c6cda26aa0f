//! Between msgpack and the values of VRL.
//!
//! | msgpack | VRL | and back |
//! | --- | --- | --- |
//! | `str`, `bin` | string | `str` where it is UTF-8, else `bin` |
//! | integer | integer; beyond 2^63 - 1 the nearest float | integer, float |
//! | float | float; NaN is null | float of 64 bits |
//! | EventTime | timestamp; one of zero is null | RFC 3339 text |
//! | any other ext | string of its data | |
//! | map | object, its keys text and sorted; of a key that comes twice the last value | map |

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use vrl::value::{KeyString, ObjectMap, Value};

use crate::event_time::EventTime;
use crate::pipeline::json::write_key;
use crate::pipeline::nested::as_text;
use crate::wire::msgpack::{
    MAX_DEPTH, Token, read, skip, write_array, write_bin, write_bool, write_f64, write_i64, write_map,
    write_nil, write_str,
};
use crate::wire::time::read_time;

/// Bytes of the largest record that a program may leave.
pub const MAX_REMAPPED_SIZE: usize = 64 * 1024 * 1024;

/// Values to reserve memory for at most, before any of them was seen.
const RESERVED: usize = 1024;

/// Why a value can't become msgpack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the record would be nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("the record would have more than {} MiB", MAX_REMAPPED_SIZE >> 20)]
    TooLarge,
}

/// Reads one encoded value; what is no msgpack is null.
pub(super) fn to_vrl(encoded: &[u8]) -> Value {
    value_at(encoded, &mut 0)
}

/// Text as VRL has it: a string, which need not be UTF-8.
pub(super) fn text(bytes: &[u8]) -> Value {
    Value::from_utf8_or_bytes(Bytes::copy_from_slice(bytes))
}

/// A time; null at the ends of the calendar.
pub(super) fn timestamp(time: EventTime) -> Value {
    DateTime::<Utc>::from_timestamp(time.seconds(), time.nanoseconds()).map_or(Value::Null, Value::Timestamp)
}

/// The same time, if a calendar reaches it.
pub(super) fn event_time(timestamp: &DateTime<Utc>) -> Option<EventTime> {
    EventTime::new(timestamp.timestamp(), timestamp.timestamp_subsec_nanos())
}

/// The name that VRL has for an encoded key, if it is text in UTF-8.
pub(super) fn name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(as_text(key)?).ok()
}

/// Appends a value; `depth` containers are around it.
pub(super) fn write(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), WriteError> {
    match value {
        Value::Null => write_nil(out),
        Value::Boolean(boolean) => write_bool(out, *boolean),
        Value::Integer(integer) => write_i64(out, *integer),
        Value::Float(float) => write_f64(out, float.into_inner()),
        Value::Timestamp(time) => {
            write_str(out, time.to_rfc3339_opts(SecondsFormat::AutoSi, true).as_bytes());
        }
        Value::Regex(regex) => write_text(out, regex.as_bytes_slice())?,
        Value::String(text) => write_text(out, text.as_bytes())?,
        Value::Bytes(bytes) => write_text(out, bytes)?,
        Value::Array(values) => {
            check_depth(depth, values.len())?;
            write_array(out, length(values.len())?);
            for value in values {
                write(out, value, depth + 1)?;
            }
        }
        Value::Object(pairs) => {
            check_depth(depth, pairs.len())?;
            write_map(out, length(pairs.len())?);
            for (key, value) in pairs {
                write_text(out, key.as_str().as_bytes())?;
                write(out, value, depth + 1)?;
            }
        }
    }
    if out.len() > MAX_REMAPPED_SIZE { Err(WriteError::TooLarge) } else { Ok(()) }
}

/// Appends the key of a field.
pub(super) fn write_name(out: &mut Vec<u8>, name: &str) -> Result<(), WriteError> {
    write_text(out, name.as_bytes())
}

fn value_at(encoded: &[u8], at: &mut usize) -> Value {
    let Ok(token) = read(encoded, at) else { return Value::Null };
    match token {
        Token::Nil => Value::Null,
        Token::Bool(boolean) => Value::Boolean(boolean),
        Token::Unsigned(number) => {
            i64::try_from(number).map_or_else(|_| float(number as f64), Value::Integer)
        }
        Token::Negative(number) => Value::Integer(number),
        Token::F32(number) => float(f64::from(number)),
        Token::F64(number) => float(number),
        Token::Str(bytes) | Token::Bin(bytes) => text(bytes),
        Token::Ext(_, data) => match read_time(token) {
            Ok(Some(time)) => timestamp(time),
            Ok(None) => Value::Null,
            Err(_) => Value::Bytes(Bytes::copy_from_slice(data)),
        },
        Token::Array(length) => {
            let mut values = Vec::with_capacity((length as usize).min(RESERVED));
            for _ in 0..length {
                if *at >= encoded.len() {
                    break;
                }
                values.push(value_at(encoded, at));
            }
            Value::Array(values)
        }
        Token::Map(length) => {
            let mut pairs = ObjectMap::new();
            for _ in 0..length {
                let Some(key) = key_at(encoded, at) else { break };
                pairs.insert(key, value_at(encoded, at));
            }
            Value::Object(pairs)
        }
    }
}

/// A key as text; one that is no text has the name that it has in JSON.
fn key_at(encoded: &[u8], at: &mut usize) -> Option<KeyString> {
    let end = skip(encoded, *at).ok()?;
    let key = &encoded[*at..end];
    *at = end;
    if let Some(text) = as_text(key) {
        return Some(String::from_utf8_lossy(text).into());
    }
    let mut json = Vec::new();
    write_key(&mut json, key);
    Some(String::from_utf8_lossy(json.trim_ascii()).trim_matches('"').into())
}

fn float(number: f64) -> Value {
    vrl::prelude::NotNan::new(number).map_or(Value::Null, Value::Float)
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), WriteError> {
    if bytes.len() > MAX_REMAPPED_SIZE {
        return Err(WriteError::TooLarge);
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => write_str(out, bytes),
        Err(_) => write_bin(out, bytes),
    }
    Ok(())
}

fn check_depth(depth: usize, children: usize) -> Result<(), WriteError> {
    if depth >= MAX_DEPTH && children > 0 { Err(WriteError::TooDeep) } else { Ok(()) }
}

fn length(length: usize) -> Result<u32, WriteError> {
    u32::try_from(length).map_err(|_| WriteError::TooLarge)
}
