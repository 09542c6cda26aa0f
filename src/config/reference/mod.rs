//! Every key of the configuration: its type, its limits, its default and its meaning.
//!
//! Loading reads its defaults and limits from here, refuses every key that is not here, and
//! `docs/configuration.md` holds exactly these tables.

mod filter;
mod input;
mod kind;
mod output;
mod security;
mod server;
mod test_case;

use std::fmt;

pub use kind::{Kind, MAX_ID_LENGTH};

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// One line for the reference.
    pub meaning: &'static str,
}

/// What a key means when it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Leaving it out is an error.
    Required,
    /// Leaving it out means this value, as TOML.
    Value(&'static str),
    /// Leaving it out has a meaning that no value of the key has, in words.
    Absent(&'static str),
}

impl fmt::Display for Default {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => formatter.write_str("required"),
            Self::Value(toml) => write!(formatter, "`{toml}`"),
            Self::Absent(words) => formatter.write_str(words),
        }
    }
}

/// A table with a fixed set of keys.
#[derive(Debug)]
pub struct Section {
    /// How the file writes it: `[journal]`, `[[output]]`, `inject = { … }`.
    pub title: &'static str,
    /// The section whose keys it has as well.
    pub extends: Option<&'static Section>,
    pub keys: &'static [Key],
}

impl Section {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.all_keys().find(|key| key.name == name)
    }

    /// Its own keys and those of the sections that it extends.
    pub fn all_keys(&self) -> impl Iterator<Item = &'static Key> {
        std::iter::successors(Some(self), |section| section.extends).flat_map(|section| section.keys)
    }

    /// The table of the reference.
    pub fn markdown(&self) -> String {
        let mut table = "| key | value | default | meaning |\n| --- | --- | --- | --- |\n".to_owned();
        for Key { name, kind, default, meaning } in self.keys {
            table.push_str(&format!("| `{name}` | {kind} | {default} | {meaning} |\n"));
        }
        table
    }
}

pub(super) use filter::{FILTER, FILTER_TYPES};
pub(super) use input::{CERTIFICATE, INPUT, TLS};
pub(super) use output::{
    CLIENT_TLS, FILE_OUTPUT, FORWARD_OUTPUT, FORWARD_POOL, FORWARD_SERVER, INJECT, OUTPUT, SRV,
};
pub(super) use security::{SECURITY, SECURITY_CLIENTS};
pub(super) use server::{DEAD_LETTERS, FILE, HEALTH, JOURNAL, LEVELS, LOG, METRICS, MONITOR_AGENT, SERVER};
pub(super) use test_case::{TEST, TEST_CHUNK, TEST_EVENT, TEST_EXPECTED, TEST_FILE, TEST_SENDER};

/// Every section, in the order of the reference.
pub const SECTIONS: &[&Section] = &[
    &FILE,
    &SERVER,
    &LOG,
    &JOURNAL,
    &DEAD_LETTERS,
    &INPUT,
    &TLS,
    &SECURITY,
    &SECURITY_CLIENTS,
    &CERTIFICATE,
    &FILTER,
    FILTER_TYPES[0].1,
    FILTER_TYPES[1].1,
    FILTER_TYPES[2].1,
    FILTER_TYPES[3].1,
    FILTER_TYPES[4].1,
    FILTER_TYPES[5].1,
    FILTER_TYPES[6].1,
    FILTER_TYPES[7].1,
    FILTER_TYPES[8].1,
    FILTER_TYPES[9].1,
    FILTER_TYPES[10].1,
    FILTER_TYPES[11].1,
    FILTER_TYPES[12].1,
    FILTER_TYPES[13].1,
    FILTER_TYPES[14].1,
    FILTER_TYPES[15].1,
    FILTER_TYPES[16].1,
    FILTER_TYPES[17].1,
    FILTER_TYPES[18].1,
    &OUTPUT,
    &FILE_OUTPUT,
    &INJECT,
    &FORWARD_OUTPUT,
    &CLIENT_TLS,
    &FORWARD_POOL,
    &FORWARD_SERVER,
    &SRV,
    &HEALTH,
    &MONITOR_AGENT,
    &METRICS,
    &TEST_FILE,
    &TEST,
    &TEST_CHUNK,
    &TEST_EVENT,
    &TEST_EXPECTED,
    &TEST_SENDER,
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

    /// The document with the tables as they should be: below each section's heading, up to the next empty line.
    fn with_tables(document: &str) -> String {
        let mut document = document.to_owned();
        for section in SECTIONS {
            let heading = document.find(&format!("`{}`\n", section.title)).expect(section.title);
            let start = heading + document[heading..].find("| key |").expect(section.title);
            let end = document[start..].find("\n\n").map_or(document.len(), |length| start + length + 1);
            document.replace_range(start..end, &section.markdown());
        }
        document
    }

    #[test]
    fn the_reference_holds_the_table_of_every_section() {
        if std::env::var_os("HIKYAKU_UPDATE_REFERENCE").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
            std::fs::write(path, with_tables(DOCUMENT)).unwrap();
            return;
        }
        for section in SECTIONS {
            let table = section.markdown();
            assert!(
                DOCUMENT.contains(&format!("`{}`\n", section.title)) && DOCUMENT.contains(&table),
                "docs/configuration.md needs under `{}` (HIKYAKU_UPDATE_REFERENCE=1 writes it):\n{table}",
                section.title
            );
        }
    }

    #[test]
    fn the_reference_has_no_key_that_the_code_does_not_know() {
        let known: Vec<String> = SECTIONS.iter().map(|section| section.markdown()).collect();
        // Rows that begin with a brace explain placeholders.
        let is_key = |line: &&str| line.starts_with("| `") && !line.starts_with("| `{");
        for line in DOCUMENT.lines().filter(is_key) {
            assert!(known.iter().any(|table| table.lines().any(|row| row == line)), "stale row: {line}");
        }
    }

    #[test]
    fn no_section_names_a_key_twice() {
        for section in SECTIONS {
            for key in section.all_keys() {
                let count = section.all_keys().filter(|other| other.name == key.name).count();
                assert_eq!(count, 1, "{} in {}", key.name, section.title);
            }
        }
    }
}
