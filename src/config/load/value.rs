//! One value of the file, turned into what its key takes.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeInteger, DeValue};

use super::document::{Document, Read, Reported, did_you_mean};
use super::table::Table;
use super::text::Text;
use crate::config::reference::{Key, Kind, Section};
use crate::config::units;
use crate::config::{BadListenAddress, ListenAddress};
use crate::pipeline::template::SyntaxError;

#[derive(Clone)]
pub(super) struct Value<'a> {
    pub document: &'a Document<'a>,
    pub key: &'a Key,
    pub at: Range<usize>,
    pub value: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// A string that is not empty and not longer than the key allows.
    pub(super) fn text(self) -> Read<String> {
        let text = self.string()?.value;
        match self.key.kind {
            _ if text.is_empty() => Err(self.report(format!("`{}` is empty", self.key.name))),
            Kind::Text { max_length } if text.len() > max_length => {
                let message =
                    format!("`{}` has {} bytes, at most {max_length} are allowed", self.key.name, text.len());
                Err(self.report(message))
            }
            Kind::Id if !is_id(&text) => Err(self.report(format!("expected {}", self.key.kind))),
            _ => Ok(text),
        }
    }

    /// One of the strings that the key allows.
    pub(super) fn choice(self) -> Read<&'static str> {
        let text = self.string()?.value;
        let Kind::Choice(choices) = self.key.kind else {
            return Err(self.wrong_type());
        };
        choices.iter().find(|choice| **choice == text).copied().ok_or_else(|| {
            let suggestion = did_you_mean(&text, choices.iter().copied());
            self.report(format!("expected one of {}{suggestion}", self.key.kind))
        })
    }

    pub(super) fn boolean(self) -> Read<bool> {
        self.value.as_bool().ok_or_else(|| self.wrong_type())
    }

    /// An integer within the key's limits.
    pub(super) fn count(self) -> Read<usize> {
        let integer = self.value.as_integer().ok_or_else(|| self.wrong_type())?;
        let number = to_i64(integer).filter(|number| {
            matches!(self.key.kind, Kind::Integer { min, max } | Kind::IntegerOrAuto { min, max }
                    if (min..=max).contains(number))
        });
        number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| self.out_of_range())
    }

    /// An integer within the key's limits; `None` for `"auto"`.
    pub(super) fn count_or_auto(self) -> Read<Option<usize>> {
        match self.value.as_str() {
            Some("auto") => Ok(None),
            Some(_) => Err(self.out_of_range()),
            None => self.count().map(Some),
        }
    }

    /// A size within the key's limits.
    pub(super) fn size(self) -> Read<u64> {
        let bytes = match self.value {
            DeValue::Integer(integer) => to_i64(integer)
                .and_then(|bytes| u64::try_from(bytes).ok())
                .ok_or_else(|| self.out_of_range())?,
            DeValue::String(_) => {
                units::parse_size(&self.string()?.value).map_err(|message| self.report(message))?
            }
            _ => return Err(self.wrong_type()),
        };
        match self.key.kind {
            Kind::Size { min, max } if (min..=max).contains(&bytes) => Ok(bytes),
            _ => Err(self.out_of_range()),
        }
    }

    /// A size that is held in memory.
    pub(super) fn memory_size(self) -> Read<usize> {
        let value = self.clone();
        usize::try_from(self.size()?).map_err(|_| value.out_of_range())
    }

    /// A time within the key's limits.
    pub(super) fn time(self) -> Read<Duration> {
        if self.value.is_integer() || self.value.is_float() {
            return Err(self.report("expected a time with its unit, such as \"10s\" (units ms, s, m, h, d)"));
        }
        let time = units::parse_time(&self.string()?.value).map_err(|message| self.report(message))?;
        match self.key.kind {
            Kind::Time { min, max } if (min..=max).contains(&time) => Ok(time),
            _ => Err(self.out_of_range()),
        }
    }

    pub(super) fn address(self) -> Read<SocketAddr> {
        let text = self.string()?.value;
        text.parse().map_err(|_| {
            self.report(
                "expected an IP address and a port such as \"127.0.0.1:8888\", \"0.0.0.0:8888\" (all of IPv4) \
                 or \"[::]:8888\"",
            )
        })
    }

    pub(super) fn listen_address(self) -> Read<ListenAddress> {
        let text = self.string()?.value;
        text.parse().map_err(|error: BadListenAddress| self.report(error.to_string()))
    }

    /// Permissions of a file, as `chmod` takes them.
    pub(super) fn permissions(self) -> Read<u32> {
        let text = self.string()?.value;
        let is_octal = (3..=4).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        u32::from_str_radix(&text, 8).ok().filter(|mode| is_octal && *mode <= 0o777).ok_or_else(|| {
            self.report("expected permissions in octal digits such as \"0660\", \"0600\" or \"0666\"")
        })
    }

    pub(super) fn path(self) -> Read<PathBuf> {
        self.text().map(PathBuf::from)
    }

    /// One path, or a list of at least one.
    pub(super) fn paths(self) -> Read<Vec<PathBuf>> {
        if self.value.is_str() {
            return self.path().map(|path| vec![path]);
        }
        let list = self.clone().list()?;
        if list.is_empty() {
            return Err(
                self.report(format!("`{}` is an empty list; leave it out, or name a file", self.key.name))
            );
        }
        let paths: Vec<_> = list.into_iter().map(Self::path).collect();
        paths.into_iter().collect()
    }

    /// A string that another parser understands.
    pub(super) fn syntax<T>(&self, parser: impl FnOnce(&str) -> Result<T, SyntaxError>) -> Read<T> {
        let text = self.string()?;
        text.parse(parser)
            .map_err(|(at, message)| self.document.report(at.as_ref().unwrap_or(&self.at), message))
    }

    /// A string after expansion, which may be empty.
    pub(super) fn string(&self) -> Read<Text> {
        let decoded = self.value.as_str().ok_or_else(|| self.wrong_type())?;
        Text::expand(decoded, &self.at, self.document.source, self.document.environment)
            .map_err(|(at, message)| self.document.report(&at, message))
    }

    /// The elements of a list.
    pub(super) fn list(self) -> Read<Vec<Value<'a>>> {
        let elements = self.value.as_array().ok_or_else(|| self.wrong_type())?;
        Ok(elements
            .iter()
            .map(|element| Value { at: element.span(), value: element.get_ref(), ..self.clone() })
            .collect())
    }

    /// The table of a section.
    pub(super) fn table(self, section: &'static Section) -> Read<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => Ok(Table::open(self.document, section, entries, self.at)),
            _ => Err(self.wrong_type()),
        }
    }

    /// The entries of a table whose keys the operator chooses, in the order of the file: the key, where it
    /// stands, the value.
    pub(super) fn map(self) -> Read<Vec<(&'a str, Range<usize>, Value<'a>)>> {
        let entries = self.value.as_table().ok_or_else(|| self.wrong_type())?;
        let mut entries: Vec<_> = entries
            .iter()
            .map(|(key, value)| {
                let name: &str = key.get_ref();
                (name, key.span(), Value { at: value.span(), value: value.get_ref(), ..self.clone() })
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        Ok(entries)
    }

    pub(super) fn report(&self, message: impl Into<String>) -> Reported {
        self.document.report(&self.at, message)
    }

    pub(super) fn wrong_type(&self) -> Reported {
        self.report(format!(
            "`{}`: expected {}, found {}",
            self.key.name,
            self.key.kind,
            self.value.type_str()
        ))
    }

    fn out_of_range(&self) -> Reported {
        self.report(format!("`{}` is out of range: expected {}", self.key.name, self.key.kind))
    }
}

pub(super) fn to_i64(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn is_id(text: &str) -> bool {
    use crate::config::reference::MAX_ID_LENGTH;
    (1..=MAX_ID_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}
