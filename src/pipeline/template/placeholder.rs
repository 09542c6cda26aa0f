//! Placeholders: what stands between the braces, and finding its value.

use super::SyntaxError;
use crate::event_time::EventTime;
use crate::pipeline::event::Event;
use crate::pipeline::field_path::FieldPath;

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) enum Placeholder {
    /// `{field}`, `{a.b}`
    Field(FieldPath),
    /// `{tag}`
    Tag,
    /// `{tag[1]}`; from the end where negative.
    TagPart(i32),
    /// `{@received_at}` and so on.
    About(About),
    /// `{@san_dns[0]}`: the kind, and which of that kind; from the end where negative.
    AlternativeName(&'static str, i32),
}

/// What is known about an event beside its tag and its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum About {
    ReceivedAt,
    Time,
    Server,
    Sender,
    SourceAddress,
    Subject,
    Fingerprint,
    Input,
    SourceHostName,
    User,
}

const ABOUT: [(&str, About); 10] = [
    ("@received_at", About::ReceivedAt),
    ("@time", About::Time),
    ("@server", About::Server),
    ("@sender", About::Sender),
    ("@source_address", About::SourceAddress),
    ("@subject", About::Subject),
    ("@fingerprint", About::Fingerprint),
    ("@input", About::Input),
    ("@source_hostname", About::SourceHostName),
    ("@user", About::User),
];

/// The kinds of alternative names, as a placeholder and as a certificate's names call them.
const ALTERNATIVE_NAMES: [(&str, &str); 4] =
    [("@san_dns", "DNS"), ("@san_uri", "URI"), ("@san_ip", "IP"), ("@san_email", "email")];

/// The value of a placeholder in one event.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) enum Resolved<'a> {
    Missing,
    Text(&'a [u8]),
    Time(EventTime),
    /// An encoded value.
    Value(&'a [u8]),
}

impl Placeholder {
    /// Parses what stands between the braces.
    pub(in crate::pipeline) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let whole = 0..text.len();
        if let Some(name) = alternative_name(text) {
            return Ok(name);
        }
        if text.starts_with('@') {
            return match ABOUT.iter().find(|(name, _)| *name == text) {
                Some((_, about)) => Ok(Self::About(*about)),
                None => {
                    let names = ALTERNATIVE_NAMES.iter().map(|(name, _)| format!("{{{name}[0]}}"));
                    let known: Vec<_> =
                        ABOUT.iter().map(|(name, _)| format!("{{{name}}}")).chain(names).collect();
                    let message = format!(
                        "`{{{text}}}` is unknown: there are {}; a field of that name is `{{\\{text}}}`",
                        known.join(", ")
                    );
                    Err(SyntaxError { at: whole, message })
                }
            };
        }
        if text == "tag" {
            return Ok(Self::Tag);
        }
        if let Some(index) = text.strip_prefix("tag[") {
            let index = index.strip_suffix(']').and_then(|index| index.parse().ok());
            return index.map(Self::TagPart).ok_or_else(|| SyntaxError {
                at: whole,
                message: format!(
                    "`{{{text}}}` is no part of a tag: write `{{tag[0]}}`, or `{{tag[-1]}}` for the last"
                ),
            });
        }
        if text.trim() != text {
            let message = format!("write `{{{}}}`, without spaces at the braces", text.trim());
            return Err(SyntaxError { at: whole, message });
        }
        FieldPath::parse(text).map(Self::Field)
    }

    /// Whether it is a time, in every event.
    pub(in crate::pipeline) fn is_time(&self) -> bool {
        matches!(self, Self::About(About::ReceivedAt | About::Time))
    }

    /// Whether it is text wherever it is not missing.
    pub(in crate::pipeline) fn is_text(&self) -> bool {
        !self.is_time() && !matches!(self, Self::Field(_))
    }

    /// Whether it is the same for all events with one tag from one input of one server.
    pub(in crate::pipeline) fn is_of_the_tag(&self) -> bool {
        matches!(self, Self::Tag | Self::TagPart(_) | Self::About(About::Server | About::Input))
    }

    /// Whether a sender can't choose it at will. An identity may be what a sender calls itself.
    pub(in crate::pipeline) fn is_beyond_senders(&self) -> bool {
        match self {
            Self::About(about) => !matches!(about, About::Sender | About::SourceHostName | About::Time),
            Self::AlternativeName(..) => true,
            Self::Field(_) | Self::Tag | Self::TagPart(_) => false,
        }
    }

    /// Finds the value.
    #[inline]
    pub(in crate::pipeline) fn resolve<'a>(&self, event: &Event<'a>) -> Resolved<'a> {
        let text = |text: &'a str| Resolved::Text(text.as_bytes());
        let optional = |value: Option<&'a str>| value.map_or(Resolved::Missing, text);
        match self {
            Self::Field(path) => event.record.get(path).map_or(Resolved::Missing, Resolved::Value),
            Self::Tag => Resolved::Text(event.source.tag),
            Self::TagPart(index) => {
                tag_part(event.source.tag, *index).map_or(Resolved::Missing, Resolved::Text)
            }
            Self::About(About::ReceivedAt) => Resolved::Time(event.source.received_at),
            Self::About(About::Time) => Resolved::Time(event.time),
            Self::About(About::Server) => text(event.server),
            Self::About(About::Sender) => text(event.source.sender),
            Self::About(About::SourceAddress) => optional(event.source.source_address),
            Self::About(About::Subject) => optional(event.source.subject),
            Self::About(About::Fingerprint) => optional(event.source.fingerprint),
            Self::About(About::Input) => text(event.source.input),
            Self::About(About::SourceHostName) => optional(event.source.host_name),
            Self::About(About::User) => optional(event.source.user),
            Self::AlternativeName(kind, index) => {
                let names = event.source.alternative_names.iter().copied();
                optional(nth(names.filter_map(|name| name.strip_prefix(kind)?.strip_prefix(':')), *index))
            }
        }
    }
}

fn tag_part(tag: &[u8], index: i32) -> Option<&[u8]> {
    nth(tag.split(|byte| *byte == b'.'), index)
}

/// Counted from 0; from the end where negative.
fn nth<T>(mut parts: impl DoubleEndedIterator<Item = T>, index: i32) -> Option<T> {
    let steps = index.unsigned_abs() as usize;
    if index < 0 { parts.nth_back(steps - 1) } else { parts.nth(steps) }
}

/// `@san_dns[0]` and so on.
fn alternative_name(text: &str) -> Option<Placeholder> {
    let (name, index) = text.strip_suffix(']')?.split_once('[')?;
    let (_, kind) = ALTERNATIVE_NAMES.iter().find(|(known, _)| *known == name)?;
    Some(Placeholder::AlternativeName(kind, index.parse().ok()?))
}

/// A piece of a template's text.
pub(super) enum Piece<'a> {
    /// Text as it is written, a brace at a time where it was doubled.
    Literal(&'a str),
    Placeholder(Placeholder, &'a str),
}

/// Cuts a template into literals and placeholders.
pub(super) struct Pieces<'a> {
    text: &'a str,
    /// Where the next piece begins.
    pub(super) at: usize,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, SyntaxError> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let literal = rest.find(['{', '}']).unwrap_or(rest.len());
        if literal > 0 {
            if rest[literal..].starts_with('{') && !rest[literal..].starts_with("{{") {
                self.refuse_foreign_spelling(literal)?;
            }
            self.at += literal;
            return Ok(Some(Piece::Literal(&rest[..literal])));
        }
        for doubled in ["{{", "}}"] {
            if rest.starts_with(doubled) {
                self.at += 2;
                return Ok(Some(Piece::Literal(&rest[..1])));
            }
        }
        if rest.starts_with('}') {
            let message = "this `}` closes nothing: write `}}` for a brace".to_owned();
            return Err(SyntaxError { at: self.at..self.at + 1, message });
        }
        let Some(length) = closing_brace(&rest[1..]) else {
            let message = "this `{` is never closed: write `{field}`, or `{{` for a brace".to_owned();
            return Err(SyntaxError { at: self.at..self.at + 1, message });
        };
        let inner = &rest[1..1 + length];
        let placeholder = Placeholder::parse(inner).map_err(|error| SyntaxError {
            at: error.at.start + self.at + 1..error.at.end + self.at + 1,
            message: error.message,
        })?;
        self.at += length + 2;
        Ok(Some(Piece::Placeholder(placeholder, inner)))
    }

    /// Fluentd writes `${field}`, and older versions of its plugins `%{field}`.
    fn refuse_foreign_spelling(&self, literal: usize) -> Result<(), SyntaxError> {
        let brace = self.at + literal;
        let before = &self.text[self.at..brace];
        let percents = before.len() - before.trim_end_matches('%').len();
        // A doubled percent sign is a literal one.
        if !before.ends_with('$') && percents.is_multiple_of(2) {
            return Ok(());
        }
        let end = closing_brace(&self.text[brace + 1..]).map_or(self.text.len(), |length| brace + length + 2);
        let foreign = &self.text[brace - 1..end];
        let message = format!("`{foreign}` is written `{}` here", &self.text[brace..end]);
        Err(SyntaxError { at: brace - 1..end, message })
    }
}

fn closing_brace(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'}' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placeholder(text: &str) -> Result<Placeholder, SyntaxError> {
        match Pieces::new(text).next()? {
            Some(Piece::Placeholder(placeholder, _)) => Ok(placeholder),
            _ => panic!("{text} is no placeholder"),
        }
    }

    #[test]
    fn names_are_read() {
        let field = |text| Placeholder::Field(FieldPath::parse(text).unwrap());
        assert_eq!(placeholder("{a.b}"), Ok(field("a.b")));
        assert_eq!(placeholder("{tag}"), Ok(Placeholder::Tag));
        assert_eq!(placeholder(r"{\tag}"), Ok(field(r"\tag")));
        assert_eq!(placeholder(r"{a\}b}"), Ok(field(r"a\}b")));
        assert_eq!(placeholder("{tag[-1]}"), Ok(Placeholder::TagPart(-1)));
        assert_eq!(placeholder("{@san_uri[-1]}"), Ok(Placeholder::AlternativeName("URI", -1)));
        for (name, about) in ABOUT {
            assert_eq!(placeholder(&format!("{{{name}}}")), Ok(Placeholder::About(about)));
        }
    }

    #[test]
    fn mistakes_are_refused_where_they_stand() {
        for (text, at, part) in [
            ("{}", 1..1, "missing"),
            ("{a", 0..1, "never closed"),
            ("}", 0..1, "closes nothing"),
            ("{@host}", 1..6, "@server"),
            ("{@san_dns}", 1..9, "{@san_dns[0]}"),
            ("{@san_dns[x]}", 1..12, "{@san_dns[0]}"),
            ("{@san_other[0]}", 1..14, "{@san_email[0]}"),
            ("{tag[x]}", 1..7, "{tag[0]}"),
            ("{tag[1}", 1..6, "{tag[0]}"),
            ("{ a }", 1..4, "`{a}`"),
            ("{a..b}", 3..3, "empty key"),
            ("x${a.b}", 1..7, "`{a.b}`"),
            ("%{host}", 0..7, "`{host}`"),
            ("%%%{host}", 2..9, "`{host}`"),
            ("${a", 0..3, "`{a`"),
        ] {
            let error = Pieces::new(text).next().map(|_| ()).unwrap_err();
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn tags_are_counted_from_both_ends() {
        for (index, part) in [
            (0, Some("a")),
            (2, Some("c")),
            (3, None),
            (-1, Some("c")),
            (-3, Some("a")),
            (-4, None),
            (i32::MIN, None),
        ] {
            assert_eq!(tag_part(b"a.b.c", index), part.map(str::as_bytes), "{index}");
        }
    }
}
