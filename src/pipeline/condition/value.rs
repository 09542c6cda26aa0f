//! Values as conditions compare them.

use std::cmp::Ordering;

use super::expression::Literal;
use crate::event_time::EventTime;
use crate::pipeline::template::Resolved;
use crate::wire::msgpack::{Token, read};

/// A value at hand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(&'a [u8]),
    Time(EventTime),
    Array,
    Map,
    /// An ext type.
    Other,
}

impl<'a> Value<'a> {
    /// `None` where it is missing.
    #[inline]
    pub(super) fn of(resolved: Resolved<'a>) -> Option<Self> {
        match resolved {
            Resolved::Missing => None,
            Resolved::Text(text) => Some(Self::Text(text)),
            Resolved::Time(time) => Some(Self::Time(time)),
            Resolved::Value(value) => Some(match read(value, &mut 0).ok()? {
                Token::Nil => Self::Null,
                Token::Bool(value) => Self::Boolean(value),
                Token::Unsigned(value) => Self::Integer(value.into()),
                Token::Negative(value) => Self::Integer(value.into()),
                Token::F32(value) => Self::Float(value.into()),
                Token::F64(value) => Self::Float(value),
                Token::Str(text) | Token::Bin(text) => Self::Text(text),
                Token::Array(_) => Self::Array,
                Token::Map(_) => Self::Map,
                Token::Ext(..) => Self::Other,
            }),
        }
    }

    #[inline]
    pub(super) fn of_literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Boolean(value) => Self::Boolean(*value),
            Literal::Integer(value) => Self::Integer(*value),
            Literal::Float(value) => Self::Float(*value),
            Literal::Text(text) => Self::Text(text.as_bytes()),
            Literal::Time(time) => Self::Time(*time),
        }
    }

    /// Whether two values are equal, and which is less; `None` where they can't be compared. What has no order but is
    /// equal (nil, booleans) is `Equal`, what has none and differs is `None`.
    #[inline]
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Integer(left), Self::Integer(right)) => Some(left.cmp(&right)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
            (Self::Integer(left), Self::Float(right)) => compare_with_float(left, right),
            (Self::Float(left), Self::Integer(right)) => {
                compare_with_float(right, left).map(Ordering::reverse)
            }
            (Self::Text(left), Self::Integer(_) | Self::Float(_)) => number(left)?.compare(other),
            (Self::Integer(_) | Self::Float(_), Self::Text(right)) => self.compare(number(right)?),
            (Self::Null, Self::Null) => Some(Ordering::Equal),
            (Self::Boolean(left), Self::Boolean(right)) => (left == right).then_some(Ordering::Equal),
            (Self::Time(left), Self::Time(right)) => Some(left.cmp(&right)),
            _ => None,
        }
    }

    /// Hands over the text of a value that has one: text itself, and the digits of an integer.
    #[inline]
    pub(super) fn with_text<R>(self, look: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match self {
            Self::Text(text) => Some(look(text)),
            Self::Integer(value) => Some(look(itoa::Buffer::new().format(value).as_bytes())),
            _ => None,
        }
    }
}

/// The number that text is: digits with a sign, a fraction, an exponent. No words such as `NaN`.
fn number(text: &[u8]) -> Option<Value<'static>> {
    if !matches!(text.last(), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(integer) = text.parse() {
        return Some(Value::Integer(integer));
    }
    text.parse().ok().map(Value::Float)
}

/// Exact, also where the integer has more digits than a float holds.
fn compare_with_float(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Beyond the range of integers the cast saturates, which leaves the order as it is.
    let whole = float.trunc();
    Some(integer.cmp(&(whole as i128)).then_with(|| whole.total_cmp(&float).then(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let compare = |left: i128, right: f64| Value::Integer(left).compare(Value::Float(right));
        assert_eq!(compare(1, 1.0), Some(Ordering::Equal));
        assert_eq!(compare(0, -0.0), Some(Ordering::Equal));
        assert_eq!(compare(1, 1.5), Some(Ordering::Less));
        assert_eq!(compare(-1, -1.5), Some(Ordering::Greater));
        assert_eq!(compare((1 << 53) + 1, (1u64 << 53) as f64), Some(Ordering::Greater));
        assert_eq!(compare(i128::from(u64::MAX), f64::INFINITY), Some(Ordering::Less));
        assert_eq!(compare(i128::from(i64::MIN), f64::NEG_INFINITY), Some(Ordering::Greater));
        assert_eq!(compare(0, f64::NAN), None);
    }

    #[test]
    fn text_that_is_a_number_compares_as_one() {
        let compare =
            |left: &'static str, right: i128| Value::Text(left.as_bytes()).compare(Value::Integer(right));
        assert_eq!(compare("200", 200), Some(Ordering::Equal));
        assert_eq!(compare("0.032", 1), Some(Ordering::Less));
        assert_eq!(compare("-5", 1), Some(Ordering::Less));
        assert_eq!(compare("1e3", 1000), Some(Ordering::Equal));
        for text in ["", "x", "200 OK", " 200", "NaN", "inf", "-"] {
            assert_eq!(compare(text, 200), None, "{text:?}");
        }
    }
}
