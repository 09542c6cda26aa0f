//! A table of the file, read key by key against its section of the reference.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Read, Reported, closest};
use super::value::Value;
use crate::config::reference::{Default, Key, Section};

/// A table whose keys are all known. What a key is worth is found out when it is asked for.
pub(super) struct Table<'a> {
    pub document: &'a Document<'a>,
    section: &'static Section,
    /// `None`: the file has no such table, every key has its default.
    entries: Option<&'a DeTable<'a>>,
    /// Keys that the file probably means by others, which are unknown and were reported.
    misspelt: Vec<(&'static str, Reported)>,
    /// The header, or the whole of an inline table.
    span: Range<usize>,
}

impl<'a> Table<'a> {
    /// Reports the keys that the section does not have.
    pub(super) fn open(
        document: &'a Document<'a>,
        section: &'static Section,
        entries: &'a DeTable<'a>,
        span: Range<usize>,
    ) -> Self {
        let mut misspelt = Vec::new();
        for (key, _) in entries.iter() {
            let name: &str = key.get_ref();
            if section.key(name).is_none() {
                let meant = closest(name, section.all_keys().map(|key| key.name));
                let suggestion = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                let message = format!("unknown key `{name}` in `{}`{suggestion}", section.title);
                let reported = document.report(&key.span(), message);
                misspelt.extend(meant.map(|meant| (meant, reported)));
            }
        }
        Self { document, section, entries: Some(entries), misspelt, span }
    }

    /// The single table of this name; where the file has none, one that is all defaults.
    pub(super) fn table(&self, name: &str, section: &'static Section) -> Table<'a> {
        let absent =
            Table { document: self.document, section, entries: None, misspelt: Vec::new(), span: 0..0 };
        let Some(value) = self.entries.and_then(|entries| entries.get(name)) else { return absent };
        match value.get_ref() {
            DeValue::Table(entries) => Table::open(self.document, section, entries, value.span()),
            other => {
                let found = other.type_str();
                let message = format!("expected one table `{}`, found {found}", section.title);
                self.document.report(&value.span(), message);
                absent
            }
        }
    }

    /// The array of tables of this name, in the order of the file.
    pub(super) fn tables(&self, name: &str, section: &'static Section) -> Vec<Table<'a>> {
        self.tables_by_type(name, section, &[])
    }

    /// As [`tables`](Self::tables), where a table of one of these types has the keys of a section of its own.
    pub(super) fn tables_by_type(
        &self,
        name: &str,
        section: &'static Section,
        types: &[(&str, &'static Section)],
    ) -> Vec<Table<'a>> {
        let Some(value) = self.entries.and_then(|entries| entries.get(name)) else { return Vec::new() };
        let wrong = |at: Range<usize>, found: &DeValue<'_>| {
            let message = format!("expected `{}`, found {}", section.title, found.type_str());
            self.document.report(&at, message);
        };
        let DeValue::Array(elements) = value.get_ref() else {
            wrong(value.span(), value.get_ref());
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(elements.len());
        for element in elements {
            match element.get_ref() {
                DeValue::Table(entries) => {
                    let kind = entries.get("type").and_then(|kind| kind.get_ref().as_str());
                    let own = types.iter().find(|(name, _)| Some(*name) == kind);
                    let section = own.map_or(section, |(_, section)| section);
                    tables.push(Table::open(self.document, section, entries, element.span()));
                }
                other => wrong(element.span(), other),
            }
        }
        tables
    }

    /// What the file has in it, as it stands there.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Spanned<DeValue<'a>>)> {
        let entries = self.entries.into_iter().flat_map(|entries| entries.iter());
        entries.map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    /// The value of a key that is required or has a default.
    pub(super) fn value<T>(&self, name: &str, convert: impl FnOnce(Value<'a>) -> Read<T>) -> Read<T> {
        self.optional(name, convert)?.ok_or_else(|| self.missing(name, ""))
    }

    /// The value of a key, `None` where it is left out and has no default.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        convert: impl FnOnce(Value<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        let Some(key) = self.section.key(name) else {
            return Err(self.defect(name));
        };
        if let Some(found) = self.entries.and_then(|entries| entries.get(name)) {
            return convert(Value { document: self.document, key, at: found.span(), value: found.get_ref() })
                .map(Some);
        }
        match key.default {
            Default::Required => Err(self.missing(name, key.meaning)),
            Default::Absent(_) => Ok(None),
            Default::Value(_) => {
                let value =
                    self.document.default_value(self.section, key).ok_or_else(|| self.defect(name))?;
                convert(Value { document: self.document, key, at: self.span.clone(), value }).map(Some)
            }
        }
    }

    /// Where it begins in the file, from 1.
    pub(super) fn line(&self) -> usize {
        let before = self.document.source.get(..self.span.start).unwrap_or_default();
        before.bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// Whether the file has the key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entries.is_some_and(|entries| entries.contains_key(name))
    }

    /// Whether the key is left out only because it is misspelt: then that is on record, and its absence is no second
    /// mistake.
    pub(super) fn misspelt(&self, name: &str) -> Option<Reported> {
        let found = self.misspelt.iter().find(|(meant, _)| *meant == name);
        found.filter(|_| !self.has(name)).map(|(_, reported)| *reported)
    }

    /// Reports a mistake in the value of a key, or in the table where the key is left out.
    pub(super) fn report(&self, name: &str, message: impl Into<String>) -> Reported {
        let value = self.entries.and_then(|entries| entries.get(name));
        self.document.report(&value.map_or_else(|| self.span.clone(), |value| value.span()), message)
    }

    fn missing(&self, name: &str, meaning: &str) -> Reported {
        if let Some(reported) = self.misspelt(name) {
            return reported;
        }
        let kind = self.section.key(name).map(|Key { kind, .. }| format!(" ({kind})")).unwrap_or_default();
        let meaning = if meaning.is_empty() { String::new() } else { format!(": {meaning}") };
        self.document.report(&self.span, format!("`{}` needs `{name}`{kind}{meaning}", self.section.title))
    }

    /// The reference and the code that reads it disagree; tests read every key.
    fn defect(&self, name: &str) -> Reported {
        let message = format!("hikyaku's reference of `{}` is wrong about `{name}`", self.section.title);
        self.document.report(&self.span, message)
    }
}
