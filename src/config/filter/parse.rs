//! `type = "parse"`

use regex::bytes::Regex;

use super::ValueType;
use crate::pipeline::field_path::FieldPath;

/// `type = "parse"`
#[derive(Debug, Clone)]
pub struct ParseConfig {
    /// The field with the text.
    pub field: FieldPath,
    pub format: ParseFormat,
    /// The field that gets what was found as a map. `None`: the record itself gets it.
    pub into: Option<FieldPath>,
    /// Whether the text stays beside what was found in it.
    pub keep_field: bool,
    /// Fields that become something else than text.
    pub types: Vec<TypedField>,
    pub on_error: OnError,
}

/// What the text is.
#[derive(Debug, Clone)]
pub enum ParseFormat {
    Json,
    Ltsv,
    Csv { columns: Vec<String>, delimiter: u8 },
    KeyValue { delimiter: u8 },
    Regex(Regex),
    NginxAccess,
    NginxError,
    ApacheAccess,
    ApacheError,
    SyslogRfc3164,
    SyslogRfc5424,
}

/// A field of what was found, and what it becomes.
#[derive(Debug, Clone)]
pub struct TypedField {
    pub name: String,
    pub value_type: ValueType,
}

/// What becomes of an event whose text is not in the format.
#[derive(Debug, Clone)]
pub enum OnError {
    /// It goes on as it is.
    Keep,
    /// It goes on with the reason in this field.
    Field { reason: FieldPath },
    /// It goes to the output with `invalid = true`, with the reason in this field.
    Invalid { reason: FieldPath },
}
