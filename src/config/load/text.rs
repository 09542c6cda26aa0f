//! String values: `${NAME}` from the environment, and where in the file each byte of the result stands.

use std::ops::Range;

use crate::pipeline::template::SyntaxError;

/// Looks a variable up.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A string of the configuration after expansion.
#[derive(Debug)]
pub(super) struct Text {
    pub value: String,
    /// In the order of `value`, without gaps.
    pieces: Vec<Piece>,
}

/// A run of the value and the bytes of the file that it came from.
#[derive(Debug)]
struct Piece {
    start: usize,
    source: Range<usize>,
    /// Whether the bytes are the same in both.
    literal: bool,
}

impl Text {
    /// Expands `decoded`, a string without its quotes and escapes, that stands in the file at `span`.
    ///
    /// `${NAME}` is the variable and an error where it is not set, `${NAME:-default}` is the default where it is
    /// not set or empty, `$$` is a `$`. What a variable holds is not expanded again.
    pub(super) fn expand(
        decoded: &str,
        span: &Range<usize>,
        source: &str,
        environment: Environment<'_>,
    ) -> Result<Self, (Range<usize>, String)> {
        // A string with escapes is pointed at as a whole.
        let offset = source.get(span.clone()).and_then(|raw| raw.find(decoded)).map(|at| span.start + at);
        let place = |at: Range<usize>| match offset {
            Some(offset) => offset + at.start..offset + at.end,
            None => span.clone(),
        };
        let mut text = Self { value: String::with_capacity(decoded.len()), pieces: Vec::new() };
        let mut at = 0;
        while let Some(rest) = decoded.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with("$$") {
                text.push("$", place(at..at + 2), false);
                at += 2;
            } else if let Some(expression) = rest.strip_prefix("${") {
                let Some(length) = expression.find('}') else {
                    return Err((
                        place(at..decoded.len()),
                        "`${` without `}`; a literal `$` is `$$`".to_owned(),
                    ));
                };
                let whole = at..at + length + 3;
                let value = variable(&expression[..length], environment)
                    .map_err(|message| (place(whole.clone()), message))?;
                text.push(&value, place(whole.clone()), false);
                at = whole.end;
            } else if let Some(name) = fluentd_placeholder(rest) {
                let whole = at..at + name.len() + 3;
                return Err((
                    place(whole),
                    format!("`%{{{name}}}` is no placeholder here; write `{{{name}}}`"),
                ));
            } else {
                let first = rest.chars().next().map_or(1, char::len_utf8);
                let length = rest[first..].find(['$', '%']).map_or(rest.len(), |next| first + next);
                text.push(&rest[..length], place(at..at + length), offset.is_some());
                at += length;
            }
        }
        Ok(text)
    }

    fn push(&mut self, value: &str, source: Range<usize>, literal: bool) {
        self.pieces.push(Piece { start: self.value.len(), source, literal });
        self.value.push_str(value);
    }

    /// The bytes of the file behind these bytes of the value.
    pub(super) fn locate(&self, at: &Range<usize>) -> Option<Range<usize>> {
        let piece = |position: usize| self.pieces.iter().rev().find(|piece| piece.start <= position);
        let first = piece(at.start)?;
        let last = piece(at.end.saturating_sub(1).max(at.start))?;
        let start =
            if first.literal { first.source.start + (at.start - first.start) } else { first.source.start };
        let end = if last.literal {
            last.source.start + at.end.saturating_sub(last.start)
        } else {
            last.source.end
        };
        Some(start..end.max(start))
    }

    /// Parses the value with one of the pipeline's parsers.
    pub(super) fn parse<T>(
        &self,
        parser: impl FnOnce(&str) -> Result<T, SyntaxError>,
    ) -> Result<T, (Option<Range<usize>>, String)> {
        parser(&self.value).map_err(|SyntaxError { at, message }| (self.locate(&at), message))
    }
}

/// The value of what stands between `${` and `}`.
fn variable(expression: &str, environment: Environment<'_>) -> Result<String, String> {
    let (name, default) = match expression.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (expression, None),
    };
    let mut characters = name.chars();
    let is_name = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_');
    if !is_name {
        return Err(format!(
            "`{name}` is no name of an environment variable; a placeholder of the event is written `{{{name}}}`"
        ));
    }
    let value = environment(name).filter(|value| default.is_none() || !value.is_empty());
    value.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
        format!(
            "the environment variable `{name}` is not set; set it, or write `${{{name}:-default}}`; \
             a field of the event is written `{{{name}}}`"
        )
    })
}

/// The name in `%{name}`; `%{{` is a percent sign before a literal brace.
fn fluentd_placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix("%{")?;
    name.find('}').map(|end| &name[..end]).filter(|name| !name.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("logs.example".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    fn expand(decoded: &str) -> Result<Text, (Range<usize>, String)> {
        let source = format!("x = \"{decoded}\"");
        Text::expand(decoded, &(4..source.len()), &source, &environment)
    }

    #[test]
    fn variables_and_defaults_are_filled_in() {
        let value = |decoded: &str| expand(decoded).unwrap().value;
        assert_eq!(value("a${HOST}b${HOST}"), "alogs.examplebl".to_owned() + "ogs.example");
        assert_eq!(value("${MISSING:-certs}/x"), "certs/x");
        assert_eq!(value("${EMPTY:-certs}"), "certs");
        assert_eq!(value("${EMPTY}"), "");
        assert_eq!(value("${MISSING:-}"), "");
        assert_eq!(value("${NESTED}"), "${HOST}");
        assert_eq!(value("$${HOST} 5$ 飛%Y%%"), "${HOST} 5$ 飛%Y%%");
        assert_eq!(value(""), "");
    }

    #[test]
    fn a_variable_that_is_not_set_may_have_been_meant_as_a_field() {
        let (at, message) = expand("/logs/${customer_name}/x").unwrap_err();
        assert_eq!(at, 11..27);
        assert!(message.contains("not set") && message.contains("`{customer_name}`"), "{message}");
    }

    #[test]
    fn fluentds_placeholders_are_told_the_right_spelling() {
        let (at, message) = expand("${tag[1]}").unwrap_err();
        assert_eq!(at, 5..14);
        assert!(message.ends_with("written `{tag[1]}`"), "{message}");
        let (at, message) = expand("a/%{host}").unwrap_err();
        assert_eq!(at, 7..14);
        assert!(message.ends_with("write `{host}`"), "{message}");
        assert_eq!(expand("%{{host}}").unwrap().value, "%{{host}}");
    }

    #[test]
    fn a_string_may_begin_with_any_character() {
        for text in ["飛脚", "é$$x", "a%é%飛"] {
            assert_eq!(expand(text).unwrap().value, text.replace("$$", "$"));
        }
    }

    #[test]
    fn an_open_variable_is_an_error() {
        assert_eq!(expand("a${HOST").unwrap_err().0, 6..12);
    }

    #[test]
    fn places_in_the_value_lead_back_to_the_file() {
        let text = expand("ab${HOST}cd").unwrap();
        assert_eq!(text.value, "ablogs.examplecd");
        assert_eq!(text.locate(&(0..2)), Some(5..7));
        assert_eq!(text.locate(&(4..6)), Some(7..14), "inside a variable it is the whole variable");
        assert_eq!(text.locate(&(14..16)), Some(14..16));
        assert_eq!(text.locate(&(1..15)), Some(6..15));
        assert_eq!(text.locate(&(16..16)), Some(16..16), "the end");
        assert_eq!(expand("").unwrap().locate(&(0..0)), None);
    }

    #[test]
    fn a_string_with_escapes_is_pointed_at_as_a_whole() {
        let source = r#"x = "a\tbc""#;
        let text = Text::expand("a\tbc", &(4..11), source, &environment).unwrap();
        assert_eq!(text.locate(&(2..3)), Some(4..11));
    }
}
