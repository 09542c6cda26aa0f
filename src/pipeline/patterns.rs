//! Regular expressions of configurations: in linear time, and of bounded size.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes that one compiled expression may take.
pub const MAX_REGEX_SIZE: usize = 1 << 20;

/// Compiles an expression in the syntax of the `regex` crate, for text that need not be UTF-8: `\d`, `\w`, `\s` and
/// `\b` mean ASCII, and `.` is a byte; behind `(?u)` it is a character.
///
/// # Errors
///
/// What is wrong with it, on one line.
pub fn compile(text: &str, ignores_case: bool) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(text);
    builder
        .unicode(false)
        .case_insensitive(ignores_case)
        .size_limit(MAX_REGEX_SIZE)
        .dfa_size_limit(MAX_REGEX_SIZE);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_work_on_bytes_and_have_a_size() {
        assert!(compile(r"^\d+ \xff$", false).unwrap().is_match(b"12 \xff"));
        assert!(compile("ABC", true).unwrap().is_match(b"xabcx"));
        assert!(compile("飛脚", false).unwrap().is_match("飛脚便".as_bytes()));
        assert!(compile("(?u)^.$", false).unwrap().is_match("飛".as_bytes()));
        assert_eq!(compile("a(b", false).unwrap_err(), "regular expression: unclosed group");
        let large = format!("(?:{}){{1000}}", "a".repeat(1100));
        assert_eq!(compile(&large, false).unwrap_err(), "the regular expression is too large");
    }
}
