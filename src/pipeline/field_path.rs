//! The name of a field: `status`, `request.headers.host`.

use std::fmt;

use super::template::SyntaxError;

/// The keys that lead to a field, outermost first; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath {
    text: String,
    keys: Vec<String>,
}

impl FieldPath {
    /// Parses `a.b.c`; a backslash makes the next character part of a key, whatever it is.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut keys = Vec::new();
        let mut key = String::new();
        let mut start = 0;
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped)) => key.push(escaped),
                    None => {
                        let message =
                            "a backslash at the end escapes nothing: write `\\\\` for a backslash".to_owned();
                        return Err(SyntaxError { at: at..text.len(), message });
                    }
                },
                '.' => {
                    keys.push(checked(std::mem::take(&mut key), start..at, text)?);
                    start = at + 1;
                }
                character => key.push(character),
            }
        }
        keys.push(checked(key, start..text.len(), text)?);
        Ok(Self { text: text.to_owned(), keys })
    }

    /// A field of the record itself, by a key without dots and backslashes.
    pub(super) fn of_key(key: &str) -> Self {
        Self { text: key.to_owned(), keys: vec![key.to_owned()] }
    }

    /// The keys, outermost first; at least one.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The key in the record itself, and those that lead on inside its value.
    pub(super) fn split_first(&self) -> (&str, &[String]) {
        match self.keys.split_first() {
            Some((first, rest)) => (first, rest),
            None => ("", &[]),
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn checked(key: String, at: std::ops::Range<usize>, text: &str) -> Result<String, SyntaxError> {
    if !key.is_empty() {
        return Ok(key);
    }
    let message = match text {
        "" => "the name of a field is missing".to_owned(),
        _ => format!("`{text}` has an empty key: write `\\.` for a dot that is part of a key"),
    };
    Err(SyntaxError { at, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let path = FieldPath::parse(text).unwrap();
        assert_eq!(path.to_string(), text);
        path.keys().to_vec()
    }

    #[test]
    fn dots_separate_keys_unless_escaped() {
        assert_eq!(keys("a"), ["a"]);
        assert_eq!(keys("a.b.c"), ["a", "b", "c"]);
        assert_eq!(keys(r"a\.b.c"), ["a.b", "c"]);
        assert_eq!(keys(r"a\\.b"), [r"a\", "b"]);
        assert_eq!(keys("顧客.名前"), ["顧客", "名前"]);
    }

    #[test]
    fn empty_keys_and_loose_backslashes_are_refused_where_they_stand() {
        for (text, at) in [("", 0..0), (".a", 0..0), ("a..b", 2..2), ("a.", 2..2), ("a\\", 1..2)] {
            assert_eq!(FieldPath::parse(text).unwrap_err().at, at, "{text:?}");
        }
    }
}
