//! The path of a file output as it is written in the configuration.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::SyntaxError;
use super::path_time::Conversion;
use super::path_value::MAX_PATH_VALUE;
use super::placeholder::{Piece, Pieces, Placeholder};

/// The most bytes of a file or folder name, on every file system that is in use.
const MAX_COMPONENT: usize = 255;

/// The least room that a placeholder must have in its file or folder name.
const MIN_PATH_VALUE: usize = 16;

/// The path of a file output, with placeholders and strftime conversions.
///
/// # How values become safe
///
/// A value is always a part of one file or folder name, never of two. It keeps the characters of its
/// [`CharacterSet`](crate::pipeline::characters::CharacterSet), every other character becomes `_`, and so does a dot in
/// front; a byte sequence that is no UTF-8 counts as one character. What is missing, nil, empty or neither text, number,
/// boolean nor time becomes `unknown`. A value longer than [`MAX_PATH_VALUE`] characters, or than its share of the 255
/// bytes of its name, is cut and gets `~` and 8 hex digits of its SHA-256.
#[derive(Debug, Clone, PartialEq)]
pub struct PathTemplate {
    text: String,
    pub(super) absolute: bool,
    /// Without those that are empty or `.`; `..` only in front, and only in a relative path.
    pub(super) components: Vec<Component>,
}

/// One file or folder name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Component {
    pub(super) parts: Vec<PathPart>,
    /// The most bytes of each value.
    pub(super) value_limit: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum PathPart {
    Literal(String),
    Conversion(Conversion),
    /// A placeholder and its text, by which its character set is found.
    Placeholder(Placeholder, String),
}

impl PathTemplate {
    /// Parses a path with placeholders.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parser = Parser { text, components: Vec::new(), parts: Vec::new(), start: 0 };
        let mut pieces = Pieces::new(text);
        while let Some(piece) = pieces.next()? {
            match piece {
                // A doubled brace.
                Piece::Literal(brace @ ("{" | "}")) => parser.literal(brace),
                Piece::Literal(literal) => parser.text(literal, pieces.at - literal.len())?,
                Piece::Placeholder(placeholder, name) => {
                    parser.parts.push(PathPart::Placeholder(placeholder, name.to_owned()));
                }
            }
        }
        if text.is_empty() || text.ends_with('/') {
            let message = "the path has to end in the name of a file".to_owned();
            return Err(SyntaxError { at: 0..text.len(), message });
        }
        parser.finish_component(text.len())?;
        Ok(Self { text: text.to_owned(), absolute: text.starts_with('/'), components: parser.components })
    }

    /// The text between the braces of each placeholder: the keys that `path_characters` may have.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| match part {
            PathPart::Placeholder(_, name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Literal text at the end, such as `.log.gz`; empty where the path ends in a placeholder or a conversion.
    pub fn suffix(&self) -> &str {
        match self.parts().last() {
            Some(PathPart::Literal(literal)) => literal,
            _ => "",
        }
    }

    /// The folder that all files of this path have in common: the names in front that hold no placeholder and no
    /// conversion.
    pub fn root(&self) -> PathBuf {
        let mut root = PathBuf::from(if self.absolute { "/" } else { "" });
        let folders = self.components.len().saturating_sub(1);
        for component in &self.components[..folders] {
            match component.parts.as_slice() {
                [PathPart::Literal(literal)] => root.push(literal),
                _ => break,
            }
        }
        root
    }

    fn parts(&self) -> impl Iterator<Item = &PathPart> {
        self.components.iter().flat_map(|component| &component.parts)
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Parser<'a> {
    text: &'a str,
    components: Vec<Component>,
    /// Of the component at hand.
    parts: Vec<PathPart>,
    /// Where the component at hand begins.
    start: usize,
}

impl Parser<'_> {
    fn literal(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(PathPart::Literal(literal)) => literal.push_str(more),
            _ => self.parts.push(PathPart::Literal(more.to_owned())),
        }
    }

    /// Literal text that begins at `start`, with slashes and conversions.
    fn text(&mut self, literal: &str, start: usize) -> Result<(), SyntaxError> {
        let mut rest = literal;
        while let Some(special) = rest.find(['/', '%', '\0']) {
            let at = start + literal.len() - rest.len() + special;
            if special > 0 {
                self.literal(&rest[..special]);
            }
            rest = &rest[special..];
            let mut characters = rest.chars();
            match characters.next() {
                Some('/') => {
                    self.finish_component(at)?;
                    self.start = at + 1;
                }
                Some('%') => self.conversion(characters.next(), at)?,
                _ => {
                    let message = "NUL can't be part of a path".to_owned();
                    return Err(SyntaxError { at: at..at + 1, message });
                }
            }
            rest = characters.as_str();
        }
        if !rest.is_empty() {
            self.literal(rest);
        }
        Ok(())
    }

    fn conversion(&mut self, letter: Option<char>, at: usize) -> Result<(), SyntaxError> {
        if letter == Some('%') {
            self.literal("%");
            return Ok(());
        }
        match Conversion::LETTERS.iter().find(|(known, _)| letter == Some(*known)) {
            Some((_, conversion)) => {
                self.parts.push(PathPart::Conversion(*conversion));
                Ok(())
            }
            None => {
                let end = at + 1 + letter.map_or(0, char::len_utf8);
                let message = format!(
                    "`{}` is unknown: a path has %Y %m %d %H %M %S from the event time, and %% for a percent sign",
                    &self.text[at..end]
                );
                Err(SyntaxError { at: at..end, message })
            }
        }
    }

    /// Ends the component that reaches up to `end`.
    fn finish_component(&mut self, end: usize) -> Result<(), SyntaxError> {
        let parts = std::mem::take(&mut self.parts);
        let at = self.start..end;
        match parts.as_slice() {
            [] => return Ok(()),
            [PathPart::Literal(literal)] if literal == "." => return Ok(()),
            [PathPart::Literal(literal)] if literal == ".." => self.check_parent(&at)?,
            _ => {}
        }
        let value_limit = value_limit(&parts).ok_or_else(|| SyntaxError {
            message: format!(
                "`{}` can become longer than the {MAX_COMPONENT} bytes that the name of a file or folder may have",
                &self.text[at.clone()]
            ),
            at,
        })?;
        self.components.push(Component { parts, value_limit });
        Ok(())
    }

    fn check_parent(&self, at: &Range<usize>) -> Result<(), SyntaxError> {
        let only_parents_before = self.components.iter().all(Component::is_parent);
        if self.text.starts_with('/') || !only_parents_before {
            let message = "write the path without `..`".to_owned();
            return Err(SyntaxError { at: at.clone(), message });
        }
        Ok(())
    }
}

impl Component {
    pub(super) fn is_parent(&self) -> bool {
        matches!(self.parts.as_slice(), [PathPart::Literal(literal)] if literal == "..")
    }
}

/// The room that literals and times leave to each value; `None` where it is too small.
fn value_limit(parts: &[PathPart]) -> Option<usize> {
    let mut room = MAX_COMPONENT;
    let mut values = 0;
    for part in parts {
        let fixed = match part {
            PathPart::Literal(literal) => literal.len(),
            PathPart::Conversion(conversion) => conversion.max_length(),
            PathPart::Placeholder(..) => {
                values += 1;
                0
            }
        };
        room = room.checked_sub(fixed)?;
    }
    match room.checked_div(values) {
        None => Some(MAX_PATH_VALUE),
        Some(share) => (share >= MIN_PATH_VALUE).then_some(share.min(MAX_PATH_VALUE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_show_as_they_were_written_and_know_their_ends() {
        let text = "/var/log/a/{customer_name}/{a.b}/%Y/%H.log.gz";
        let template = PathTemplate::parse(text).unwrap();
        assert_eq!(template.to_string(), text);
        assert_eq!(template.suffix(), ".log.gz");
        assert_eq!(template.root(), PathBuf::from("/var/log/a"));
        assert_eq!(template.placeholders().collect::<Vec<_>>(), ["customer_name", "a.b"]);
        assert_eq!(PathTemplate::parse("./data//x.log").unwrap().root(), PathBuf::from("data"));
        assert_eq!(PathTemplate::parse("x/%Y").unwrap().suffix(), "");
    }

    #[test]
    fn mistakes_are_refused_where_they_stand() {
        for (text, at, part) in [
            ("", 0..0, "name of a file"),
            ("logs/", 0..5, "name of a file"),
            ("logs/%B.log", 5..7, "%Y %m %d"),
            ("logs/%é", 5..8, "%Y %m %d"),
            ("logs/%", 5..6, "%Y %m %d"),
            ("logs/%{{x", 5..6, "%Y %m %d"),
            ("a/${b}/c", 2..6, "`{b}`"),
            ("a/%{b}", 2..6, "`{b}`"),
            ("a/../b", 2..4, "without `..`"),
            ("/../b", 1..3, "without `..`"),
            ("a\0", 1..2, "NUL"),
        ] {
            let error = PathTemplate::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text:?}: {error}");
            assert!(error.message.contains(part), "{text:?}: {error}");
        }
        assert!(PathTemplate::parse("../../a").is_ok());
    }

    #[test]
    fn names_that_could_not_be_created_are_refused() {
        let name = |literal: usize, values: usize| {
            PathTemplate::parse(&format!("a/{}{}", "x".repeat(literal), "{v}".repeat(values))).is_ok()
        };
        assert!(name(MAX_COMPONENT, 0));
        assert!(!name(MAX_COMPONENT + 1, 0));
        assert!(name(MAX_COMPONENT - MIN_PATH_VALUE, 1));
        assert!(!name(MAX_COMPONENT - MIN_PATH_VALUE + 1, 1));
        assert!(name(0, MAX_COMPONENT / MIN_PATH_VALUE));
        assert!(!name(0, MAX_COMPONENT / MIN_PATH_VALUE + 1));
    }
}
