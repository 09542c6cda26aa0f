//! What the file says about where events go, so that a start can tell whether that has changed since the last one.
//!
//! Of each table one line a key, in the order of their names, with variables put in:
//!
//! ```text
//! match="a.**"
//! require=["team"]
//! ```
//!
//! It is made of nothing but the file: another version of hikyaku makes the same of it. What the file leaves out is left
//! out, so that a key which is new in a version is no change.

use std::fmt::Write;

use toml::Spanned;
use toml::de::DeValue;

use super::document::Document;
use super::table::Table;
use super::text::Text;
use crate::config::RoutingText;

/// Keys of an input that decide who may write an event, and in which pipeline it begins.
const INPUT_KEYS: &[&str] = &["id", "pipeline", "metadata_field", "allow", "owners"];
/// Keys of an output that decide which events it takes.
const OUTPUT_KEYS: &[&str] = &["pipeline", "match", "where", "require", "invalid", "fallback"];

/// Of these tables, in their order. Every key of a filter may decide.
pub(super) fn routing_text(
    inputs: &[Table<'_>],
    filters: &[Table<'_>],
    outputs: &[Table<'_>],
) -> RoutingText {
    let texts = |tables: &[Table<'_>], keys: Option<&[&str]>| {
        tables.iter().map(|table| text_of(table, |key| keys.is_none_or(|keys| keys.contains(&key)))).collect()
    };
    RoutingText {
        inputs: texts(inputs, Some(INPUT_KEYS)),
        filters: texts(filters, None),
        outputs: texts(outputs, Some(OUTPUT_KEYS)),
    }
}

fn text_of(table: &Table<'_>, counts: impl Fn(&str) -> bool) -> String {
    let mut entries: Vec<_> = table.entries().filter(|(key, _)| counts(key)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    let mut text = String::new();
    for (key, value) in entries {
        let _ = write!(text, "{key}=");
        write_value(&mut text, table.document, value);
        text.push('\n');
    }
    text
}

fn write_value(text: &mut String, document: &Document<'_>, value: &Spanned<DeValue<'_>>) {
    // Writing to a string does not fail.
    let _ = match value.get_ref() {
        DeValue::String(decoded) => {
            let expanded = Text::expand(decoded, &value.span(), document.source, document.environment);
            // Programs are taken as they are: there `${` means something else.
            let expanded = expanded.map_or_else(|_| decoded.to_string(), |expanded| expanded.value);
            write!(text, "{}", serde_json::Value::from(expanded))
        }
        DeValue::Integer(integer) => write!(text, "{integer}"),
        DeValue::Float(float) => write!(text, "{float}"),
        DeValue::Boolean(boolean) => write!(text, "{boolean}"),
        DeValue::Datetime(time) => write!(text, "{time}"),
        DeValue::Array(elements) => {
            text.push('[');
            for element in elements {
                write_value(text, document, element);
                text.push(',');
            }
            write!(text, "]")
        }
        DeValue::Table(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.get_ref(), value)).collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in entries {
                let _ = write!(text, "{}:", serde_json::Value::from(&**key));
                write_value(text, document, value);
                text.push(',');
            }
            write!(text, "}}")
        }
    };
}
