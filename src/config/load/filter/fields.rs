//! Fields, and what is written into them.

use toml::de::DeValue;

use crate::config::load::document::Read;
use crate::config::load::value::{Value, to_i64};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::ValueTemplate;

/// A string of patterns or a list of such strings.
pub(in crate::config::load) fn tag_patterns(value: Value<'_>) -> Read<TagPatterns> {
    if value.value.is_str() {
        return value.syntax(TagPatterns::parse);
    }
    let whole = value.clone();
    let texts: Vec<_> = (value.list()?.into_iter())
        .map(|element| element.syntax(|text| TagPatterns::parse(text).map(|_| text.to_owned())))
        .collect();
    let texts = texts.into_iter().collect::<Read<Vec<_>>>()?;
    TagPatterns::parse(&texts.join(" ")).map_err(|error| whole.report(error.message))
}

/// A list of fields.
pub(in crate::config::load) fn field_paths(value: Value<'_>) -> Read<Vec<FieldPath>> {
    let paths: Vec<_> = value.list()?.into_iter().map(|element| element.syntax(FieldPath::parse)).collect();
    paths.into_iter().collect()
}

pub(super) fn field_values(value: Value<'_>) -> Read<Vec<(FieldPath, ValueTemplate)>> {
    let document = value.document;
    let whole = value.clone();
    let fields: Vec<_> = (value.map()?.into_iter())
        .map(|(name, at, value)| {
            let path = FieldPath::parse(name).map_err(|error| document.report(&at, error.message));
            let template = template(&value);
            Ok((path?, template?))
        })
        .collect();
    if fields.is_empty() {
        return Err(whole.report("`fields` is empty"));
    }
    fields.into_iter().collect()
}

/// New names by field, in the order of the file.
pub(super) fn renames(value: Value<'_>) -> Read<Vec<(FieldPath, FieldPath)>> {
    let document = value.document;
    let whole = value.clone();
    let fields: Vec<_> = (value.map()?.into_iter())
        .map(|(name, at, value)| {
            let from = FieldPath::parse(name).map_err(|error| document.report(&at, error.message));
            let to = value.syntax(FieldPath::parse);
            Ok((from?, to?))
        })
        .collect();
    if fields.is_empty() {
        return Err(whole.report("`fields` is empty"));
    }
    fields.into_iter().collect()
}

fn template(value: &Value<'_>) -> Read<ValueTemplate> {
    match value.value {
        DeValue::String(_) => value.syntax(ValueTemplate::parse),
        DeValue::Integer(integer) => to_i64(integer)
            .map(|integer| ValueTemplate::constant(msgpack_integer(integer)))
            .ok_or_else(|| value.report("the integer does not fit into 64 bits")),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .map(|float: f64| ValueTemplate::constant(msgpack_float(float)))
            .map_err(|_| value.report("expected a float of 64 bits")),
        DeValue::Boolean(boolean) => Ok(ValueTemplate::constant(vec![0xc2 | u8::from(*boolean)])),
        DeValue::Table(_) => Err(value.report(
            "expected text, an integer, a float or a boolean; a field within a field is written \"outer.inner\" \
             in quotes",
        )),
        DeValue::Array(_) | DeValue::Datetime(_) => {
            Err(value.report("expected text, an integer, a float or a boolean"))
        }
    }
}

/// `positive fixint`, `negative fixint` or `int 64`
fn msgpack_integer(integer: i64) -> Vec<u8> {
    if let Ok(small @ -32..=127) = i8::try_from(integer) {
        return small.to_be_bytes().to_vec();
    }
    let mut bytes = vec![0xd3];
    bytes.extend_from_slice(&integer.to_be_bytes());
    bytes
}

/// `float 64`
fn msgpack_float(float: f64) -> Vec<u8> {
    let mut bytes = vec![0xcb];
    bytes.extend_from_slice(&float.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_msgpack() {
        assert_eq!(msgpack_integer(127), [0x7f]);
        assert_eq!(msgpack_integer(128), [0xd3, 0, 0, 0, 0, 0, 0, 0, 128]);
        assert_eq!(msgpack_integer(-32), [0xe0]);
        assert_eq!(msgpack_integer(-33), [0xd3, 255, 255, 255, 255, 255, 255, 255, 223]);
        assert_eq!(msgpack_float(1.5), [0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    }
}
