//! `hikyaku test --update`: what came out becomes what is expected, in the text of the file, and nothing else there is
//! touched.
//!
//! An expected event keeps the parts that it looks at. An event more looks at those of the one before it, and the first one
//! at its path and its record.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value, value};

use super::deliver::Delivered;
use crate::config::TestCase;

/// A test can't be updated.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpdateError {
    #[error("the file can't be taken apart: {0}")]
    Syntax(#[from] toml_edit::TomlError),
    #[error("test `{0}` is not written as a table of the file; update it by hand")]
    NoTable(String),
}

/// The parts that an expected event can look at, in the order in which new ones are written.
const PARTS: [&str; 6] = ["path", "tag", "time", "record", "fields", "line"];

/// The text of a file in which a test expects what was delivered.
pub(super) fn updated(
    text: &str,
    test: &TestCase,
    delivered: &[(String, Vec<Delivered>)],
) -> Result<String, UpdateError> {
    let mut document: DocumentMut = text.parse()?;
    let table =
        test_table(&mut document, &test.name).ok_or_else(|| UpdateError::NoTable(test.name.clone()))?;
    if table.get("expect").is_none() {
        let mut expect = toml_edit::Table::new();
        expect.set_dotted(true);
        table.insert("expect", Item::Table(expect));
    }
    let expect = table
        .get_mut("expect")
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| UpdateError::NoTable(test.name.clone()))?;
    for (output, found) in delivered {
        match expect.get_mut(output) {
            Some(events) => update_events(events, found),
            None if test.others_may_take || found.is_empty() => {}
            None => {
                let mut events = Item::Value(Value::Array(Array::new()));
                update_events(&mut events, found);
                expect.insert(output, events);
            }
        }
    }
    Ok(document.to_string())
}

fn test_table<'d>(document: &'d mut DocumentMut, name: &str) -> Option<&'d mut dyn TableLike> {
    let has_name = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match document.get_mut("test")? {
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().find(|table| has_name(*table)).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(tables)) => tables
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .find(|table| has_name(*table))
            .map(|table| table as &mut dyn TableLike),
        _ => None,
    }
}

/// All events of an output.
fn update_events(events: &mut Item, found: &[Delivered]) {
    if let Item::ArrayOfTables(tables) = events {
        while tables.len() > found.len() {
            tables.remove(tables.len() - 1);
        }
        for (index, found) in found.iter().enumerate() {
            if index == tables.len() {
                let before = index.checked_sub(1).and_then(|before| tables.get(before));
                let mut table = before.cloned().unwrap_or_default();
                let parts = parts_of(before.map(|table| table as &dyn TableLike), found);
                keep_parts(&mut table, &parts);
                tables.push(table);
            }
            if let Some(table) = tables.get_mut(index) {
                update_event(table, found);
            }
        }
        if !found.is_empty() {
            return;
        }
    }
    // `"nothing"`, or anything that is no list, is none.
    if events.as_array().is_none() {
        *events = value(Array::new());
    }
    let Some(list) = events.as_array_mut() else { return };
    while list.len() > found.len() {
        list.remove(list.len() - 1);
    }
    for (index, found) in found.iter().enumerate() {
        if index == list.len() {
            let before = index.checked_sub(1).and_then(|before| list.get(before));
            let parts =
                parts_of(before.and_then(Value::as_inline_table).map(|table| table as &dyn TableLike), found);
            let mut event = InlineTable::new();
            keep_parts(&mut event, &parts);
            let mut event = Value::InlineTable(event);
            if let Some(before) = before {
                *event.decor_mut() = before.decor().clone();
            }
            list.push_formatted(event);
        }
        if let Some(event) = list.get_mut(index).and_then(Value::as_inline_table_mut) {
            update_event(event, found);
        }
    }
}

/// What an event more looks at.
fn parts_of<'p>(before: Option<&dyn TableLike>, found: &Delivered) -> Vec<&'p str> {
    let of_before: Vec<_> =
        PARTS.into_iter().filter(|part| before.is_some_and(|event| event.contains_key(part))).collect();
    match (of_before.is_empty(), &found.path) {
        (false, _) => of_before,
        (true, Some(_)) => vec!["path", "record"],
        (true, None) => vec!["record"],
    }
}

/// Sees to it that an event has just these parts, whatever their values.
fn keep_parts(event: &mut dyn TableLike, parts: &[&str]) {
    for part in PARTS {
        match parts.contains(&part) {
            false => drop(event.remove(part)),
            true if !event.contains_key(part) => drop(event.insert(part, value(InlineTable::new()))),
            true => {}
        }
    }
}

/// Puts what was found in the place of each part that differs.
fn update_event(event: &mut dyn TableLike, found: &Delivered) {
    for part in PARTS {
        let Some(expected) = event.get_mut(part) else { continue };
        let text = match part {
            "path" => found.path.clone(),
            "tag" => Some(found.tag.clone()),
            "time" => Some(found.time.timestamp().to_string()),
            "line" => found.line.clone(),
            "record" => {
                update_record(expected, &found.record);
                continue;
            }
            _ => {
                let fields = looked_at(expected, &found.record);
                update_record(expected, &fields);
                continue;
            }
        };
        match text {
            Some(text) => replace(expected, Value::from(text)),
            // The output writes none.
            None => drop(event.remove(part)),
        }
    }
}

/// The fields that are expected already, as they were found; all of them where none is.
fn looked_at(expected: &Item, found: &Map<String, Json>) -> Map<String, Json> {
    let names: Vec<String> = match expected.as_str() {
        Some(json) => serde_json::from_str::<Map<String, Json>>(json)
            .map(|fields| fields.into_iter().map(|it| it.0).collect())
            .unwrap_or_default(),
        None => expected
            .as_table_like()
            .map(|fields| fields.iter().map(|(name, _)| name.to_owned()).collect())
            .unwrap_or_default(),
    };
    match names.is_empty() {
        true => found.clone(),
        false => names.iter().filter_map(|name| Some((name.clone(), found.get(name)?.clone()))).collect(),
    }
}

/// JSON stays JSON, and a table a table as long as TOML can say it.
fn update_record(expected: &mut Item, found: &Map<String, Json>) {
    if let Some(text) = expected.as_str() {
        if serde_json::from_str::<Map<String, Json>>(text).ok().as_ref() != Some(found) {
            replace(expected, Value::from(Json::Object(found.clone()).to_string()));
        }
        return;
    }
    let values: Option<Vec<(&String, Value)>> =
        found.iter().map(|(name, json)| Some((name, to_toml(json)?))).collect();
    let (Some(values), Some(table)) = (values, expected.as_table_like_mut()) else {
        replace(expected, Value::from(Json::Object(found.clone()).to_string()));
        return;
    };
    let gone: Vec<String> =
        table.iter().map(|(name, _)| name.to_owned()).filter(|name| !found.contains_key(name)).collect();
    gone.iter().for_each(|name| drop(table.remove(name)));
    for (name, found) in values {
        match table.get_mut(name) {
            Some(expected) => replace(expected, found),
            None => drop(table.insert(name, Item::Value(found))),
        }
    }
}

/// Leaves alone what says the same, and the space and comments around what does not.
fn replace(expected: &mut Item, mut found: Value) {
    if let Some(expected) = expected.as_value() {
        if same(expected, &found) {
            return;
        }
        *found.decor_mut() = expected.decor().clone();
    }
    *expected = Item::Value(found);
}

fn same(left: &Value, right: &Value) -> bool {
    match (to_json(left), to_json(right)) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

fn to_json(value: &Value) -> Option<Json> {
    Some(match value {
        Value::String(text) => text.value().as_str().into(),
        // As a time, which may be written either way.
        Value::Datetime(time) => time.value().to_string().into(),
        Value::Integer(integer) => (*integer.value()).into(),
        Value::Float(float) => serde_json::Number::from_f64(*float.value())?.into(),
        Value::Boolean(boolean) => (*boolean.value()).into(),
        Value::Array(array) => array.iter().map(to_json).collect::<Option<Vec<_>>>()?.into(),
        Value::InlineTable(table) => {
            let fields = table.iter().map(|(name, value)| Some((name.to_owned(), to_json(value)?)));
            Json::Object(fields.collect::<Option<_>>()?)
        }
    })
}

/// `None`: TOML has no such value, as `null`.
fn to_toml(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(boolean) => Value::from(*boolean),
        Json::Number(number) => match (number.as_i64(), number.is_f64()) {
            (Some(integer), _) => Value::from(integer),
            (None, true) => Value::from(number.as_f64()?),
            (None, false) => return None,
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(elements) => {
            Value::Array(elements.iter().map(to_toml).collect::<Option<Vec<_>>>()?.into_iter().collect())
        }
        Json::Object(fields) => {
            let mut table = InlineTable::new();
            for (name, json) in fields {
                table.insert(name, to_toml(json)?);
            }
            Value::InlineTable(table)
        }
    })
}
