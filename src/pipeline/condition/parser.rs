//! From tokens to a checked expression.

use std::ops::Range;

use super::MAX_NESTING;
use super::expression::{Comparison, Expression, Literal, Operand, TextTest, Type};
use super::lexer::{Lexer, Token, TokenKind, error};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::patterns::compile;
use crate::pipeline::template::{Placeholder, SyntaxError};
use crate::pipeline::time_source::of_timestamp;

pub(super) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    let mut parser = Parser { lexer: Lexer::new(text), peeked: None, depth: 0 };
    let expression = parser.any()?;
    let rest = parser.take()?;
    match rest.kind {
        TokenKind::End => Ok(expression),
        _ => Err(error(rest.at, "expected `and`, `or` or the end of the condition".to_owned())),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    peeked: Option<Token<'a>>,
    depth: usize,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("=", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

const TEXT_TESTS: [(&str, TextTest); 3] = [
    ("contains", TextTest::Contains),
    ("starts_with", TextTest::StartsWith),
    ("ends_with", TextTest::EndsWith),
];

/// Words that mean something and name no field.
const KEYWORDS: [&str; 13] = [
    "and",
    "or",
    "not",
    "in",
    "is",
    "contains",
    "starts_with",
    "ends_with",
    "matches",
    "exists",
    "true",
    "false",
    "null",
];

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Expression, SyntaxError> {
        let mut any = vec![self.all()?];
        while self.takes_word("or")? {
            any.push(self.all()?);
        }
        Ok(one_or(any, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression, SyntaxError> {
        let mut all = vec![self.negated()?];
        while self.takes_word("and")? {
            all.push(self.negated()?);
        }
        Ok(one_or(all, Expression::All))
    }

    fn negated(&mut self) -> Result<Expression, SyntaxError> {
        let at = self.peek()?.at.clone();
        let opens = self.peek()?.kind == TokenKind::Symbol("(");
        let negates = self.peek()?.kind == TokenKind::Word("not");
        if !opens && !negates {
            return self.test();
        }
        self.take()?;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(error(at, format!("nested more than {MAX_NESTING} deep")));
        }
        let inner = if opens {
            let inner = self.any()?;
            self.expect(")", &at)?;
            inner
        } else {
            Expression::Not(Box::new(self.negated()?))
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn test(&mut self) -> Result<Expression, SyntaxError> {
        if self.takes_word("exists")? {
            return self.exists();
        }
        let (left, at) = self.operand()?;
        let token = self.take()?;
        let test = match token.kind {
            TokenKind::Symbol(symbol) => {
                COMPARISONS.iter().find(|(name, _)| *name == symbol).map(|(_, comparison)| *comparison)
            }
            _ => None,
        };
        if let Some(comparison) = test {
            let (right, right_at) = self.operand()?;
            return compare(left, comparison, right, at.start..right_at.end);
        }
        match token.kind {
            TokenKind::Word("is") => {
                let wanted = !self.takes_word("not")?;
                Ok(Expression::Is(left, self.type_name()?, wanted))
            }
            TokenKind::Word("in") => self.list(left, &at, true),
            TokenKind::Word("not") if self.takes_word("in")? => self.list(left, &at, false),
            TokenKind::Word("matches") => {
                textual(&left, &at)?;
                let (regex, regex_at, ignores_case) = self.lexer.regex()?;
                let regex = compile(&regex, ignores_case).map_err(|message| error(regex_at, message))?;
                Ok(Expression::Matches(left, regex))
            }
            TokenKind::Word(word) if TEXT_TESTS.iter().any(|(name, _)| *name == word) => {
                let test = TEXT_TESTS.iter().find(|(name, _)| *name == word);
                let test = test.map_or(TextTest::Contains, |(_, test)| *test);
                textual(&left, &at)?;
                let (right, right_at) = self.operand()?;
                textual(&right, &right_at)?;
                not_constant(&left, &right, at.start..right_at.end)?;
                Ok(Expression::Text(left, test, right))
            }
            _ => {
                let message = "expected a comparison: = != < <= > >= in, not in, contains, starts_with, ends_with, \
                               matches, is";
                let at = if token.at.is_empty() { at } else { token.at };
                Err(error(at, message.to_owned()))
            }
        }
    }

    fn exists(&mut self) -> Result<Expression, SyntaxError> {
        let at = self.take_symbol("(", "exists(field)")?;
        let (operand, operand_at) = self.operand()?;
        let Operand::Event(Placeholder::Field(path)) = operand else {
            return Err(error(operand_at, "`exists` asks for a field of the record".to_owned()));
        };
        self.expect(")", &at)?;
        Ok(Expression::Exists(path))
    }

    fn list(&mut self, left: Operand, at: &Range<usize>, wanted: bool) -> Result<Expression, SyntaxError> {
        let opening = self.take_symbol("[", "in ['a', 'b']")?;
        let mut literals: Vec<Literal> = Vec::new();
        loop {
            let (operand, literal_at) = self.operand()?;
            not_constant(&left, &operand, at.start..literal_at.end)?;
            let literal = typed(&left, operand, &literal_at)?;
            let Operand::Literal(literal) = literal else {
                return Err(error(
                    literal_at,
                    "a list holds literals: text, numbers, true, false, null".to_owned(),
                ));
            };
            literals.push(literal);
            if self.peek()?.kind != TokenKind::Symbol(",") {
                break;
            }
            self.take()?;
        }
        self.expect("]", &opening)?;
        Ok(Expression::In(left, literals, wanted))
    }

    fn type_name(&mut self) -> Result<Type, SyntaxError> {
        let token = self.take()?;
        let known = match token.kind {
            TokenKind::Word(word) => Type::NAMES.iter().find(|(name, _)| *name == word),
            _ => None,
        };
        known.map(|(_, name)| *name).ok_or_else(|| {
            let names: Vec<_> = Type::NAMES.iter().map(|(name, _)| *name).collect();
            error(token.at, format!("expected a type: {}", names.join(", ")))
        })
    }

    fn operand(&mut self) -> Result<(Operand, Range<usize>), SyntaxError> {
        let Token { kind, at } = self.take()?;
        let literal = |literal| Ok(Operand::Literal(literal));
        let operand = match kind {
            TokenKind::Text(text) => literal(Literal::Text(text)),
            TokenKind::Integer(integer) => literal(Literal::Integer(integer)),
            TokenKind::Float(float) => literal(Literal::Float(float)),
            TokenKind::Word("true") => literal(Literal::Boolean(true)),
            TokenKind::Word("false") => literal(Literal::Boolean(false)),
            TokenKind::Word("null") => literal(Literal::Null),
            TokenKind::Word(word) if KEYWORDS.contains(&word) => Err(error(
                at.clone(),
                format!("expected a field or a value; a field of this name is `\\{word}`"),
            )),
            TokenKind::Word(word) if KEYWORDS.contains(&word.to_lowercase().as_str()) => {
                let keyword = word.to_lowercase();
                Err(error(at.clone(), format!("write `{keyword}`; a field of this name is `\\{word}`")))
            }
            TokenKind::Word(word) => self.name(word, &at).map(Operand::Event),
            TokenKind::Symbol(_) | TokenKind::End => {
                Err(error(at.clone(), "expected a field or a value".to_owned()))
            }
        };
        Ok((operand?, at))
    }

    fn name(&mut self, word: &str, at: &Range<usize>) -> Result<Placeholder, SyntaxError> {
        if self.peek()?.kind == TokenKind::Symbol("(") {
            return Err(error(at.clone(), format!("there is no `{word}(…)`, only `exists(field)`")));
        }
        let placeholder = if word.starts_with('\\') {
            FieldPath::parse(word).map(Placeholder::Field)
        } else {
            Placeholder::parse(word)
        };
        placeholder.map_err(|inner| error(at.start + inner.at.start..at.start + inner.at.end, inner.message))
    }

    fn peek(&mut self) -> Result<&Token<'a>, SyntaxError> {
        let next = match self.peeked.take() {
            Some(token) => token,
            None => self.lexer.next()?,
        };
        Ok(self.peeked.insert(next))
    }

    fn take(&mut self) -> Result<Token<'a>, SyntaxError> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.lexer.next(),
        }
    }

    fn takes_word(&mut self, word: &str) -> Result<bool, SyntaxError> {
        let is_next = self.peek()?.kind == TokenKind::Word(word);
        if is_next {
            self.peeked = None;
        }
        Ok(is_next)
    }

    fn take_symbol(&mut self, symbol: &'static str, example: &str) -> Result<Range<usize>, SyntaxError> {
        let token = self.take()?;
        if token.kind == TokenKind::Symbol(symbol) {
            return Ok(token.at);
        }
        Err(error(token.at, format!("expected `{symbol}`, as in `{example}`")))
    }

    /// Takes the symbol that closes what was opened.
    fn expect(&mut self, symbol: &'static str, opening: &Range<usize>) -> Result<(), SyntaxError> {
        let token = self.take()?;
        match token.kind {
            TokenKind::Symbol(found) if found == symbol => Ok(()),
            TokenKind::End => Err(error(opening.clone(), format!("this is never closed with `{symbol}`"))),
            _ => Err(error(token.at, format!("expected `{symbol}`"))),
        }
    }
}

fn one_or(mut several: Vec<Expression>, join: impl FnOnce(Vec<Expression>) -> Expression) -> Expression {
    match several.pop() {
        Some(only) if several.is_empty() => only,
        last => {
            several.extend(last);
            join(several)
        }
    }
}

fn compare(
    left: Operand,
    comparison: Comparison,
    right: Operand,
    at: Range<usize>,
) -> Result<Expression, SyntaxError> {
    not_constant(&left, &right, at.clone())?;
    let right = typed(&left, right, &at)?;
    let left = typed(&right, left, &at)?;
    let has_order =
        |operand: &Operand| !matches!(operand, Operand::Literal(Literal::Null | Literal::Boolean(_)));
    let needs_order = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if needs_order && (!has_order(&left) || !has_order(&right)) {
        return Err(error(at, "`null`, `true` and `false` have no order: use = or !=".to_owned()));
    }
    Ok(Expression::Compare(left, comparison, right))
}

/// What is compared with a time is one as well.
fn typed(other: &Operand, operand: Operand, at: &Range<usize>) -> Result<Operand, SyntaxError> {
    let is_time = |operand: &Operand| matches!(operand, Operand::Event(event) if event.is_time());
    let is_text = |operand: &Operand| matches!(operand, Operand::Event(event) if event.is_text());
    match operand {
        Operand::Literal(literal) if is_time(other) => {
            let time = match &literal {
                Literal::Text(text) => text.parse::<jiff::Timestamp>().ok(),
                Literal::Time(_) => return Ok(Operand::Literal(literal)),
                _ => None,
            };
            let time = time.and_then(of_timestamp);
            time.map(|time| Operand::Literal(Literal::Time(time))).ok_or_else(|| {
                error(at.clone(), "a time compares with a time such as '2026-02-17T10:00:00Z'".to_owned())
            })
        }
        Operand::Literal(Literal::Null | Literal::Boolean(_)) if is_text(other) => {
            Err(error(at.clone(), "text compares with text".to_owned()))
        }
        Operand::Event(_) if is_time(&operand) && matches!(other, Operand::Event(_)) && !is_time(other) => {
            Err(error(at.clone(), "a time compares with a time such as '2026-02-17T10:00:00Z'".to_owned()))
        }
        operand => Ok(operand),
    }
}

fn textual(operand: &Operand, at: &Range<usize>) -> Result<(), SyntaxError> {
    let fits = match operand {
        Operand::Literal(literal) => matches!(literal, Literal::Text(_)),
        Operand::Event(event) => !event.is_time(),
    };
    if fits { Ok(()) } else { Err(error(at.clone(), "this test takes text".to_owned())) }
}

fn not_constant(left: &Operand, right: &Operand, at: Range<usize>) -> Result<(), SyntaxError> {
    match (left, right) {
        (Operand::Literal(_), Operand::Literal(_)) => {
            Err(error(at, "this compares two constants: one side has to be a field".to_owned()))
        }
        _ => Ok(()),
    }
}
