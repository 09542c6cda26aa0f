//! `[[test]]`

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{Config, ConfigErrors, environment, load, read_file};
use crate::event_time::EventTime;
use crate::pipeline::Trial;

/// One `[[test]]`: chunks that come in, and what is expected of them.
#[derive(Debug, Clone)]
pub struct TestCase {
    pub name: String,
    /// The file that it is in, and the line where it begins, from 1.
    pub file: PathBuf,
    pub line: usize,
    /// What `{@server}` says.
    pub server: String,
    /// In the order in which they are received.
    pub chunks: Vec<TestChunk>,
    /// What outputs write, by their `id`, in the order of the file.
    pub expected: Vec<(String, Vec<ExpectedEvent>)>,
    /// Whether an output that is not in `expected` may take events.
    pub others_may_take: bool,
}

/// A chunk that comes in.
#[derive(Debug, Clone)]
pub struct TestChunk {
    /// With the tag as the input makes it.
    pub trial: Trial,
    /// Its entries.
    pub events: Vec<TestEvent>,
}

/// An event that comes in.
#[derive(Debug, Clone)]
pub struct TestEvent {
    /// `None`: that of its receipt.
    pub time: Option<EventTime>,
    /// An encoded map.
    pub record: Vec<u8>,
}

/// An event as an output writes it. What is `None` is not looked at.
#[derive(Debug, Clone, Default)]
pub struct ExpectedEvent {
    pub tag: Option<String>,
    /// The file that it is written into.
    pub path: Option<String>,
    pub time: Option<EventTime>,
    /// The whole record.
    pub record: Option<Map<String, Value>>,
    /// Some fields of the record.
    pub fields: Option<Map<String, Value>>,
    /// The text that is written, without the line feed.
    pub line: Option<String>,
}

impl TestCase {
    /// Reads the tests of a configuration: those in its own file, then those in the file beside it that is called
    /// `NAME.tests.toml` where the configuration is `NAME.toml`.
    ///
    /// # Errors
    ///
    /// Where a file can't be read, and all the mistakes of the first file that has any.
    pub fn load(config: &Config) -> Result<Vec<Self>, ConfigErrors> {
        let Some(path) = &config.path else { return Ok(Vec::new()) };
        let mut tests = Self::read(path, config)?;
        let beside = path.with_extension("tests.toml");
        if beside.exists() {
            tests.extend(Self::read(&beside, config)?);
        }
        Ok(tests)
    }

    fn read(path: &Path, config: &Config) -> Result<Vec<Self>, ConfigErrors> {
        let text =
            read_file(path).map_err(|source| ConfigErrors::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path, config)
    }

    /// Reads the tests in the text of a file, which is the configuration's own or one beside it.
    ///
    /// # Errors
    ///
    /// All its mistakes.
    pub fn parse(text: &str, path: &Path, config: &Config) -> Result<Vec<Self>, ConfigErrors> {
        load::parse_tests(text, path, config, &environment).map_err(ConfigErrors::Invalid)
    }
}
