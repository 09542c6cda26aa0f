//! What a condition means, after reading and checking.

use regex::bytes::Regex;

use crate::event_time::EventTime;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::Placeholder;

#[derive(Debug, Clone)]
pub(super) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Exists(FieldPath),
    /// Of this type, or (with `false`) of another one.
    Is(Operand, Type, bool),
    Compare(Operand, Comparison, Operand),
    /// One of these, or (with `false`) none of them.
    In(Operand, Vec<Literal>, bool),
    Text(Operand, TextTest, Operand),
    Matches(Operand, Regex),
}

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Event(Placeholder),
    Literal(Literal),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    /// Text that is compared with a time.
    Time(EventTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Number,
    Integer,
    Boolean,
    Null,
    Array,
    Map,
}

impl Type {
    pub(super) const NAMES: [(&'static str, Self); 7] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("integer", Self::Integer),
        ("boolean", Self::Boolean),
        ("null", Self::Null),
        ("array", Self::Array),
        ("map", Self::Map),
    ];
}
