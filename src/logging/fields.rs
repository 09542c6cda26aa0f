//! What an event and the spans around it carry.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};

/// Names that a line has itself.
const RESERVED: [&str; 4] = ["time", "level", "module", "message"];

/// The field of an event at ERROR with which the process ends: its level is FATAL.
const FATAL: &str = "fatal";

/// The message, and the other fields by name; of two with the same name the first one counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) others: Vec<(String, Value)>,
    pub(super) is_fatal: bool,
}

impl Fields {
    /// Adds a field; one named like a part of the line itself gets a `_` at its end.
    pub(super) fn add(&mut self, name: &str, value: Value) {
        let name = if RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() };
        if !self.others.iter().any(|(other, _)| *other == name) {
            self.others.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field.name(), Value::from(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field.name(), Value::from(value));
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match field.name() {
            FATAL => self.is_fatal = value,
            name => self.add(name, Value::from(value)),
        }
    }
}
