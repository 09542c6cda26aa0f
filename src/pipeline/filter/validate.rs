//! `type = "validate"`: what is not as it should be goes to the output with `invalid = true`.

use jiff::tz::TimeZone;

use super::{Draft, Failed};
use crate::config::{ValidateConfig, ValueType};
use crate::pipeline::level::LEVEL_NAMES;
use crate::pipeline::nested::as_text;
use crate::pipeline::record::{RecordFields, is_blank};
use crate::pipeline::time_source::iso_8601;
use crate::wire::msgpack::{Token, read, write_str};

#[derive(Debug)]
pub(super) struct Validate {
    config: ValidateConfig,
}

impl Validate {
    pub(super) fn new(config: ValidateConfig) -> Self {
        Self { config }
    }

    /// The first thing that is wrong becomes the reason. An event that was found invalid before keeps its reason.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, value: &mut Vec<u8>) -> Result<(), Failed> {
        if draft.is_invalid {
            return Ok(());
        }
        let Some(reason) = self.reason(draft.record.fields()) else { return Ok(()) };
        draft.is_invalid = true;
        value.clear();
        write_str(value, reason.as_bytes());
        draft.record.set(&self.config.reason, value);
        Err(Failed)
    }

    fn reason(&self, record: RecordFields<'_>) -> Option<String> {
        let ValidateConfig { required, types, times, levels, .. } = &self.config;
        for path in required {
            match record.get(path) {
                None => return Some(format!("the field {path} is missing")),
                Some(value) if is_blank(value) => return Some(format!("the field {path} is empty")),
                Some(_) => {}
            }
        }
        for (path, value_type) in types {
            if record.get(path).is_some_and(|value| !is_of(value, *value_type)) {
                return Some(format!("the field {path} is of another type than {}", value_type.name()));
            }
        }
        let is_time = |text| iso_8601(text, &TimeZone::UTC).is_some();
        for path in times {
            if record.get(path).is_some_and(|value| !as_text(value).is_some_and(is_time)) {
                return Some(format!("the field {path} is no time as ISO 8601 writes it"));
            }
        }
        let is_level = |text: &[u8]| LEVEL_NAMES.iter().any(|level| level.as_bytes() == text);
        for path in levels {
            if record.get(path).is_some_and(|value| !as_text(value).is_some_and(is_level)) {
                return Some(format!("the field {path} is none of {}", LEVEL_NAMES.join(", ")));
            }
        }
        None
    }
}

fn is_of(value: &[u8], value_type: ValueType) -> bool {
    let Ok(token) = read(value, &mut 0) else { return false };
    match value_type {
        ValueType::String => matches!(token, Token::Str(_) | Token::Bin(_)),
        ValueType::Integer => matches!(token, Token::Unsigned(_) | Token::Negative(_)),
        ValueType::Float => {
            matches!(token, Token::F32(_) | Token::F64(_) | Token::Unsigned(_) | Token::Negative(_))
        }
        ValueType::Boolean => matches!(token, Token::Bool(_)),
        ValueType::Array => matches!(token, Token::Array(_)),
        ValueType::Map => matches!(token, Token::Map(_)),
    }
}
