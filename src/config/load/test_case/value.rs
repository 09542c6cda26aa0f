//! Records of tests: TOML tables, or JSON as text.

use serde_json::Map;
use toml::de::DeValue;

use super::{Read, Value};
use crate::config::load::value::to_i64;
use crate::pipeline::json::write_value;
use crate::wire::json::to_msgpack;
use crate::wire::msgpack::{
    Token, read, write_array, write_bool, write_f64, write_i64, write_map, write_str, write_u64,
};

/// Bytes of the largest record; a configuration file is smaller.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// How deep a record may be nested.
const MAX_DEPTH: usize = 64;

/// The record as msgpack, its fields in the order of the file.
pub(super) fn record(value: Value<'_>) -> Read<Vec<u8>> {
    if value.value.is_table() {
        let mut record = Vec::new();
        write(&mut record, &value, 0)?;
        return Ok(record);
    }
    let text = value.string()?.value;
    let record = to_msgpack(text.as_bytes(), MAX_RECORD)
        .map_err(|refusal| value.report(format!("expected a table, or JSON as text: {refusal}")))?;
    match read(&record, &mut 0) {
        Ok(Token::Map(_)) => Ok(record),
        _ => Err(value.report("expected a table, or a JSON object as text")),
    }
}

/// The record as JSON shows it.
pub(super) fn json_object(value: Value<'_>) -> Read<Map<String, serde_json::Value>> {
    let mut text = Vec::new();
    write_value(&mut text, &record(value.clone())?);
    serde_json::from_slice(&text).map_err(|error| value.report(format!("it is no JSON: {error}")))
}

fn write(out: &mut Vec<u8>, value: &Value<'_>, depth: usize) -> Read<()> {
    if depth > MAX_DEPTH {
        return Err(value.report(format!("nested deeper than {MAX_DEPTH}")));
    }
    match value.value {
        DeValue::String(_) => write_str(out, value.string()?.value.as_bytes()),
        DeValue::Boolean(boolean) => write_bool(out, *boolean),
        DeValue::Integer(integer) => match to_i64(integer) {
            Some(integer) if integer < 0 => write_i64(out, integer),
            Some(integer) => write_u64(out, integer.unsigned_abs()),
            None => return Err(value.report("the integer does not fit into 64 bits")),
        },
        DeValue::Float(float) => match float.as_str().parse() {
            Ok(float) => write_f64(out, float),
            Err(_) => return Err(value.report("expected a float of 64 bits")),
        },
        DeValue::Datetime(_) => {
            return Err(value.report("records hold no times of TOML; write it as text, in quotes"));
        }
        DeValue::Array(_) => {
            let elements = value.clone().list()?;
            write_array(out, elements.len() as u32);
            for element in elements {
                write(out, &element, depth + 1)?;
            }
        }
        DeValue::Table(_) => {
            let fields = value.clone().map()?;
            write_map(out, fields.len() as u32);
            for (name, _, field) in fields {
                write_str(out, name.as_bytes());
                write(out, &field, depth + 1)?;
            }
        }
    }
    Ok(())
}
