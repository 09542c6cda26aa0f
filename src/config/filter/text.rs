//! Filters that rewrite text.

use regex::bytes::Regex;

use crate::pipeline::characters::CharacterSet;
use crate::pipeline::field_path::FieldPath;

/// `type = "sanitize"`
#[derive(Debug, Clone)]
pub struct SanitizeConfig {
    /// Empty: all text of the record.
    pub fields: Vec<FieldPath>,
    /// Whether keys are made safe as well. Only without `fields`.
    pub keys: bool,
    /// The characters that stay. `None`: all but control characters.
    pub characters: Option<CharacterSet>,
    /// What stands in place of a character that does not stay.
    pub replacement: String,
    /// The most bytes of one text. `None`: as long as it is.
    pub max_length: Option<usize>,
}

/// `type = "mask"`
#[derive(Debug, Clone)]
pub struct MaskConfig {
    /// Empty: all text of the record.
    pub fields: Vec<FieldPath>,
    /// What is hidden in the text. Where these and `detect` are empty, it is the whole value of each field.
    pub patterns: Vec<Regex>,
    pub detect: Vec<Detector>,
    /// Whether it looks into keys as well. Only without `fields`.
    pub keys: bool,
    /// What stands in place of what is hidden.
    pub replacement: String,
}

/// What `detect` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detector {
    Mail,
    Card,
    Token,
    Ipv4,
    Ipv6,
}

impl Detector {
    /// Each with its name.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("mail", Self::Mail),
        ("card", Self::Card),
        ("token", Self::Token),
        ("ipv4", Self::Ipv4),
        ("ipv6", Self::Ipv6),
    ];
}
