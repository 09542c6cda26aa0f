//! `type = "parse"`: makes fields of text. One file a format.

mod access;
mod csv;
mod error_log;
mod found;
mod json;
mod key_value;
mod ltsv;
mod named_groups;
mod syslog;

use self::found::Found;
use self::named_groups::NamedGroups;
use super::{Draft, Failed, Scratch};
use crate::config::{OnError, ParseConfig, ParseFormat, TypedField};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::nested::as_text;
use crate::wire::msgpack::write_str;

/// How many fields one text may have.
pub(super) const MAX_PARSED_FIELDS: u32 = 10_000;

/// How deep what is found may be nested: what a record may be, less room for the fields on the way to it.
pub(super) const MAX_PARSED_DEPTH: usize = 64;

#[derive(Debug)]
pub(super) struct Parse {
    field: FieldPath,
    format: Format,
    into: Option<FieldPath>,
    keep_field: bool,
    types: Vec<TypedField>,
    on_error: OnError,
}

#[derive(Debug)]
enum Format {
    Json,
    Ltsv,
    Csv { columns: Vec<String>, delimiter: u8 },
    KeyValue { delimiter: u8 },
    Regex(NamedGroups),
    NginxAccess,
    NginxError,
    ApacheAccess,
    ApacheError,
    SyslogRfc3164,
    SyslogRfc5424,
}

/// Memory of parsing, from event to event.
#[derive(Debug, Default)]
pub(super) struct ParseScratch {
    found: Found,
    groups: named_groups::Memory,
}

/// Why text is not in a format.
pub(super) type Wrong = &'static str;

impl Parse {
    pub(super) fn new(config: ParseConfig) -> Self {
        let format = match config.format {
            ParseFormat::Json => Format::Json,
            ParseFormat::Ltsv => Format::Ltsv,
            ParseFormat::Csv { columns, delimiter } => Format::Csv { columns, delimiter },
            ParseFormat::KeyValue { delimiter } => Format::KeyValue { delimiter },
            ParseFormat::Regex(regex) => Format::Regex(NamedGroups::new(regex)),
            ParseFormat::NginxAccess => Format::NginxAccess,
            ParseFormat::NginxError => Format::NginxError,
            ParseFormat::ApacheAccess => Format::ApacheAccess,
            ParseFormat::ApacheError => Format::ApacheError,
            ParseFormat::SyslogRfc3164 => Format::SyslogRfc3164,
            ParseFormat::SyslogRfc5424 => Format::SyslogRfc5424,
        };
        let ParseConfig { field, into, keep_field, types, on_error, .. } = config;
        Self { field, format, into, keep_field, types, on_error }
    }

    /// An event without the field is left alone. What is found replaces fields of the same name.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, scratch: &mut Scratch) -> Result<(), Failed> {
        let Some(value) = draft.record.fields().get(&self.field) else { return Ok(()) };
        let parsed = match as_text(value) {
            Some(text) => self.parse(text, &mut scratch.parse),
            None => Err("the value is no text"),
        };
        if let Err(reason) = parsed {
            self.fail(draft, reason, &mut scratch.value);
            return Err(Failed);
        }
        if !self.keep_field {
            draft.record.remove(&self.field);
        }
        let map = scratch.parse.found.map();
        match &self.into {
            Some(into) => draft.record.set(into, map),
            None => draft.record.merge(map),
        }
        Ok(())
    }

    fn parse(&self, text: &[u8], scratch: &mut ParseScratch) -> Result<(), Wrong> {
        let found = &mut scratch.found;
        found.begin();
        match &self.format {
            Format::Json => json::parse(text, found),
            Format::Ltsv => ltsv::parse(text, found),
            Format::Csv { columns, delimiter } => csv::parse(text, columns, *delimiter, found),
            Format::KeyValue { delimiter } => key_value::parse(text, *delimiter, found),
            Format::Regex(groups) => groups.parse(text, found, &mut scratch.groups),
            Format::NginxAccess | Format::ApacheAccess => access::parse(text, found),
            Format::NginxError => error_log::parse_nginx(text, found),
            Format::ApacheError => error_log::parse_apache(text, found),
            Format::SyslogRfc3164 => syslog::parse_rfc3164(text, found),
            Format::SyslogRfc5424 => syslog::parse_rfc5424(text, found),
        }?;
        found.end(&self.types)
    }

    fn fail(&self, draft: &mut Draft<'_>, reason: Wrong, value: &mut Vec<u8>) {
        let field = match &self.on_error {
            OnError::Keep => return,
            OnError::Field { reason } => reason,
            OnError::Invalid { reason } => {
                if draft.is_invalid {
                    return;
                }
                draft.is_invalid = true;
                reason
            }
        };
        value.clear();
        write_str(value, reason.as_bytes());
        draft.record.set(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::filtered;
    use super::*;
    use crate::config::FilterKind;
    use crate::pipeline::field_path::FieldPath;
    use crate::wire::msgpack::{write_map, write_str};

    /// Whether a text is in the format.
    fn fits(format: ParseFormat, text: &str) -> bool {
        let kind = FilterKind::Parse(ParseConfig {
            field: FieldPath::parse("message").unwrap(),
            format,
            into: None,
            keep_field: false,
            types: Vec::new(),
            on_error: OnError::Field { reason: FieldPath::parse("wrong").unwrap() },
        });
        let mut record = Vec::new();
        write_map(&mut record, 1);
        write_str(&mut record, b"message");
        write_str(&mut record, text.as_bytes());
        !filtered(kind, &record).contains("\"wrong\"=")
    }

    #[test]
    fn a_text_has_so_many_fields_and_no_more() {
        let pairs = |count| (0..count).map(|number| format!("k{number}=v ")).collect::<String>();
        let fits = |count| fits(ParseFormat::KeyValue { delimiter: b' ' }, pairs(count).trim_end());
        assert!(fits(MAX_PARSED_FIELDS));
        assert!(!fits(MAX_PARSED_FIELDS + 1));
    }

    #[test]
    fn what_is_found_is_nested_so_deep_and_no_deeper() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(fits(ParseFormat::Json, &nested(MAX_PARSED_DEPTH)));
        assert!(!fits(ParseFormat::Json, &nested(MAX_PARSED_DEPTH + 1)));
    }
}
