//! From text to tokens.

use std::ops::Range;

use crate::pipeline::template::SyntaxError;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// A name or a keyword, as it is written: `request.method`, `tag[1]`, `@sender`, `and`.
    Word(&'a str),
    Text(String),
    Integer(i128),
    Float(f64),
    /// `( ) [ ] ,` and the comparisons.
    Symbol(&'static str),
    End,
}

const SYMBOLS: [&str; 11] = ["!=", "<=", ">=", "=", "<", ">", "(", ")", "[", "]", ","];

/// What people write who know other languages, and what it is here.
const FOREIGN: [(&str, &str); 6] =
    [("==", "="), ("<>", "!="), ("&&", "and"), ("||", "or"), ("!", "not"), ("=~", "matches /…/")];

/// Cuts a condition into tokens.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.skip_space();
        let start = self.at;
        let rest = &self.text[start..];
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: TokenKind::End, at: start..start });
        };
        if let Some((foreign, ours)) = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign))
            && !rest.starts_with("!=")
        {
            return Err(error(start..start + foreign.len(), format!("`{foreign}` is written `{ours}` here")));
        }
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            return Ok(self.token(symbol.len(), TokenKind::Symbol(symbol)));
        }
        match first {
            '\'' | '"' => self.quoted(first),
            '0'..='9' | '-' | '+' => self.number(),
            first if is_word(first) || first == '\\' => Ok(self.word()),
            '/' => Err(error(start..start + 1, "a regular expression stands behind `matches`".to_owned())),
            other => {
                let message =
                    format!("`{other}` means nothing here; in the name of a field it is `\\{other}`");
                Err(error(start..start + other.len_utf8(), message))
            }
        }
    }

    /// Reads `/regex/` or `/regex/i`: the expression with `\/` as `/`, where it stands, and whether case is ignored.
    pub(super) fn regex(&mut self) -> Result<(String, Range<usize>, bool), SyntaxError> {
        self.skip_space();
        let start = self.at;
        let missing = |at| error(at, "expected a regular expression such as /time(d )?out/".to_owned());
        let Some(body) = self.text[start..].strip_prefix('/') else { return Err(missing(start..start + 1)) };
        let mut regex = String::new();
        let mut characters = body.char_indices();
        loop {
            match characters.next() {
                None => return Err(error(start..self.text.len(), "`/` without a second one".to_owned())),
                Some((length, '/')) => {
                    self.at = start + length + 2;
                    break;
                }
                Some((_, '\\')) => match characters.next() {
                    Some((_, '/')) => regex.push('/'),
                    Some((_, other)) => regex.extend(['\\', other]),
                    None => regex.push('\\'),
                },
                Some((_, other)) => regex.push(other),
            }
        }
        let at = start..self.at;
        let rest = &self.text[self.at..];
        let flags = &rest[..rest.find(|flag| !is_word(flag)).unwrap_or(rest.len())];
        self.at += flags.len();
        match flags {
            "" => Ok((regex, at, false)),
            "i" => Ok((regex, at, true)),
            _ => Err(error(at.end..self.at, format!("`{flags}`: the one flag is `i`, which ignores case"))),
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn token(&mut self, length: usize, kind: TokenKind<'a>) -> Token<'a> {
        let start = self.at;
        self.at += length;
        Token { kind, at: start..self.at }
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let mut length = 0;
        let mut characters = rest.char_indices();
        while let Some((at, character)) = characters.next() {
            let end = at + character.len_utf8();
            length = match character {
                '\\' => characters.next().map_or(end, |(at, escaped)| at + escaped.len_utf8()),
                character if is_word(character) => end,
                _ => break,
            };
        }
        // `tag[1]`, `@san_dns[0]`
        if (rest[..length].starts_with('@') || &rest[..length] == "tag") && rest[length..].starts_with('[') {
            length += rest[length..].find(']').map_or(1, |closing| closing + 1);
        }
        self.token(length, TokenKind::Word(&rest[..length]))
    }

    fn number(&mut self) -> Result<Token<'a>, SyntaxError> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.starts_with(['-', '+']));
        let more = rest[sign..].find(|character| !is_word(character)).unwrap_or(rest.len() - sign);
        let (length, text) = (sign + more, &rest[..sign + more]);
        if let Ok(integer) = text.parse() {
            return Ok(self.token(length, TokenKind::Integer(integer)));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() && text.ends_with(|last: char| last.is_ascii_digit()) => {
                Ok(self.token(length, TokenKind::Float(float)))
            }
            _ => {
                let message =
                    format!("`{text}` is no number; text stands in quotes, a field may begin with `\\`");
                Err(error(self.at..self.at + length.max(1), message))
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Token<'a>, SyntaxError> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.text[start + 1..].char_indices();
        while let Some((at, character)) = characters.next() {
            let at = start + 1 + at;
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, escaped @ ('\\' | '\'' | '"'))) => text.push(escaped),
                    other => {
                        let end = other
                            .map_or(self.text.len(), |(next, other)| start + 1 + next + other.len_utf8());
                        let message = "behind a backslash in text stands one of \\ ' \" n r t".to_owned();
                        return Err(error(at..end, message));
                    }
                },
                character if character == quote => {
                    return Ok(self.token(at + 1 - start, TokenKind::Text(text)));
                }
                other => text.push(other),
            }
        }
        Err(error(start..self.text.len(), format!("this {quote} is never closed")))
    }
}

pub(super) fn error(at: Range<usize>, message: String) -> SyntaxError {
    SyntaxError { at, message }
}

/// What names, keywords and numbers consist of.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '@')
}
