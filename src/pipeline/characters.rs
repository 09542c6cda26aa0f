//! Sets of characters that a path may hold: `a-zA-Z0-9._-`.

use std::fmt;

use super::template::SyntaxError;

/// A set of ASCII characters. `/` and NUL are in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharacterSet {
    text: String,
    /// Bit `n` stands for the character with code `n`.
    bits: u128,
}

impl CharacterSet {
    /// Parses ranges and single characters, as between the brackets of a regular expression: `-` stands for itself
    /// at either end, and any character does behind a backslash.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut bits = 0;
        let mut members = Members { text, at: 0 };
        while let Some(first) = members.next()? {
            let start = first.at.start;
            let last = match members.range_end()? {
                Some(last) => last,
                None => first.clone(),
            };
            let at = start..last.at.end;
            if last.code < first.code {
                let message = format!("the range `{}` runs backwards", &text[at.clone()]);
                return Err(SyntaxError { at, message });
            }
            for code in first.code..=last.code {
                bits |= 1 << code;
            }
            for (forbidden, name) in [(b'/', "`/`"), (0, "NUL")] {
                if (first.code..=last.code).contains(&forbidden) {
                    let message = format!("{name} can't be part of a file name");
                    return Err(SyntaxError { at, message });
                }
            }
        }
        if bits == 0 {
            let message = "the set of characters is empty: write it as `a-zA-Z0-9._-`".to_owned();
            return Err(SyntaxError { at: 0..text.len(), message });
        }
        Ok(Self { text: text.to_owned(), bits })
    }

    /// Whether the set holds this character.
    #[inline]
    pub fn contains(&self, character: char) -> bool {
        character.is_ascii() && self.bits & (1 << u32::from(character)) != 0
    }
}

impl Default for CharacterSet {
    /// `a-zA-Z0-9._-`
    fn default() -> Self {
        let text = "a-zA-Z0-9._-".to_owned();
        let kept = |code: &u8| code.is_ascii_alphanumeric() || b"._-".contains(code);
        Self { text, bits: (0..128).filter(kept).fold(0, |bits, code| bits | 1 << code) }
    }
}

impl fmt::Display for CharacterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The characters of a set as it is written, escapes resolved.
struct Members<'a> {
    text: &'a str,
    at: usize,
}

#[derive(Clone)]
struct Member {
    code: u8,
    at: std::ops::Range<usize>,
}

impl Members<'_> {
    fn next(&mut self) -> Result<Option<Member>, SyntaxError> {
        let start = self.at;
        let mut rest = self.text[start..].chars();
        let Some(mut character) = rest.next() else { return Ok(None) };
        if character == '\\' {
            character = rest.next().ok_or_else(|| SyntaxError {
                at: start..self.text.len(),
                message: "a backslash at the end escapes nothing: write `\\\\` for a backslash".to_owned(),
            })?;
        }
        self.at = self.text.len() - rest.as_str().len();
        let at = start..self.at;
        match u8::try_from(character) {
            Ok(code) if code.is_ascii() => Ok(Some(Member { code, at })),
            _ => {
                let message =
                    format!("`{character}` is no ASCII character, and only those can be kept in a path");
                Err(SyntaxError { at, message })
            }
        }
    }

    /// The end of a range, where a `-` and another character follow.
    fn range_end(&mut self) -> Result<Option<Member>, SyntaxError> {
        let rest = &self.text[self.at..];
        if !rest.starts_with('-') || rest.len() == 1 {
            return Ok(None);
        }
        self.at += 1;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> String {
        let set = CharacterSet::parse(text).unwrap();
        assert_eq!(set.to_string(), text);
        (0..=0x10_ffff).filter_map(char::from_u32).filter(|character| set.contains(*character)).collect()
    }

    #[test]
    fn ranges_and_single_characters_are_read_as_in_brackets() {
        assert_eq!(members("a-cx"), "abcx");
        assert_eq!(members("-a"), "-a");
        assert_eq!(members("a-"), "-a");
        assert_eq!(members("a-a"), "a");
        assert_eq!(members(r"a\-c"), "-ac");
        assert_eq!(members(r"\\"), "\\");
        assert_eq!(members(" -\""), " !\"");
    }

    #[test]
    fn the_default_is_what_its_text_says() {
        assert_eq!(CharacterSet::default(), CharacterSet::parse("a-zA-Z0-9._-").unwrap());
    }

    #[test]
    fn what_no_file_name_can_hold_is_refused_where_it_stands() {
        for (text, at, part) in [
            ("ab/", 2..3, "`/`"),
            ("ab.-9", 2..5, "`/`"),
            ("a\0", 1..2, "NUL"),
            ("z-a", 0..3, "backwards"),
            ("aé", 1..3, "ASCII"),
            ("a\\", 1..2, "backslash"),
            ("", 0..0, "empty"),
        ] {
            let error = CharacterSet::parse(text).unwrap_err();
            assert_eq!(error.at, at, "{text:?}");
            assert!(error.message.contains(part), "{text:?}: {error}");
        }
    }
}
