//! Whether an expression holds for an event.

use std::cmp::Ordering;

use super::expression::{Comparison, Expression, Operand, TextTest, Type};
use super::value::Value;
use crate::pipeline::event::Event;

impl Expression {
    #[inline]
    pub(super) fn holds(&self, event: &Event<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|each| each.holds(event)),
            Self::Any(any) => any.iter().any(|each| each.holds(event)),
            Self::Not(inner) => !inner.holds(event),
            Self::Exists(path) => event.record.get(path).is_some(),
            Self::Is(operand, name, wanted) => {
                operand.value(event).is_some_and(|value| name.is_of(value) == *wanted)
            }
            Self::Compare(left, comparison, right) => {
                let (Some(left), Some(right)) = (left.value(event), right.value(event)) else { return false };
                comparison.holds(left.compare(right))
            }
            Self::In(operand, literals, wanted) => operand.value(event).is_some_and(|value| {
                let equals = |literal| value.compare(Value::of_literal(literal)) == Some(Ordering::Equal);
                literals.iter().any(equals) == *wanted
            }),
            Self::Text(left, test, right) => {
                let (Some(left), Some(right)) = (left.value(event), right.value(event)) else { return false };
                left.with_text(|left| right.with_text(|right| test.holds(left, right))).flatten()
                    == Some(true)
            }
            Self::Matches(operand, regex) => operand
                .value(event)
                .and_then(|value| value.with_text(|text| regex.is_match(text)))
                .unwrap_or(false),
        }
    }
}

impl Operand {
    /// `None` where it is missing.
    #[inline]
    fn value<'a>(&'a self, event: &Event<'a>) -> Option<Value<'a>> {
        match self {
            Self::Event(placeholder) => Value::of(placeholder.resolve(event)),
            Self::Literal(literal) => Some(Value::of_literal(literal)),
        }
    }
}

impl Comparison {
    #[inline]
    fn holds(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

impl TextTest {
    #[inline]
    fn holds(self, text: &[u8], part: &[u8]) -> bool {
        match self {
            Self::Contains => memchr::memmem::find(text, part).is_some(),
            Self::StartsWith => text.starts_with(part),
            Self::EndsWith => text.ends_with(part),
        }
    }
}

impl Type {
    fn is_of(self, value: Value<'_>) -> bool {
        match self {
            Self::String => matches!(value, Value::Text(_)),
            Self::Number => matches!(value, Value::Integer(_) | Value::Float(_)),
            Self::Integer => matches!(value, Value::Integer(_)),
            Self::Boolean => matches!(value, Value::Boolean(_)),
            Self::Null => matches!(value, Value::Null),
            Self::Array => matches!(value, Value::Array),
            Self::Map => matches!(value, Value::Map),
        }
    }
}
