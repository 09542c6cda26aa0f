//! What `set` and `default` write into a record.

use std::fmt;

use super::SyntaxError;
use super::placeholder::{Piece, Pieces, Placeholder, Resolved};
use crate::pipeline::event::Event;
use crate::pipeline::json::{write_plain, write_value};
use crate::pipeline::timestamp::{Fraction, write_timestamp};
use crate::wire::msgpack::{Token, read, write_str};

/// A value that a filter writes: a constant, or text with placeholders.
///
/// Text that is exactly one placeholder of a field copies the field with its type. In any other text a missing
/// placeholder, or nil, is empty; arrays and maps are their JSON text. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueTemplate {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// An encoded value.
    Constant(Vec<u8>),
    /// One placeholder of a field.
    Copy(Placeholder),
    Text(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    Placeholder(Placeholder),
}

impl ValueTemplate {
    /// Parses text with placeholders.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parts = Vec::new();
        let mut pieces = Pieces::new(text);
        while let Some(piece) = pieces.next()? {
            match (piece, parts.last_mut()) {
                (Piece::Literal(more), Some(Part::Literal(literal))) => literal.push_str(more),
                (Piece::Literal(literal), _) => parts.push(Part::Literal(literal.to_owned())),
                (Piece::Placeholder(placeholder, _), _) => parts.push(Part::Placeholder(placeholder)),
            }
        }
        let kind = match parts.as_slice() {
            [Part::Placeholder(placeholder @ Placeholder::Field(_))] => Kind::Copy(placeholder.clone()),
            [Part::Literal(literal)] => Kind::Constant(encoded(literal)),
            [] => Kind::Constant(encoded("")),
            _ => Kind::Text(parts),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// Whether nothing that a sender chooses is in it: constants, and what its sender proved or this server knows.
    pub(in crate::pipeline) fn is_operators_word(&self) -> bool {
        let is_proved = |part: &Part| match part {
            Part::Literal(_) => true,
            Part::Placeholder(placeholder) => placeholder.is_beyond_senders(),
        };
        match &self.kind {
            Kind::Constant(_) => true,
            Kind::Copy(_) => false,
            Kind::Text(parts) => parts.iter().all(is_proved),
        }
    }

    /// A constant that is not a string, as msgpack.
    pub fn constant(msgpack: Vec<u8>) -> Self {
        let mut text = Vec::new();
        write_value(&mut text, &msgpack);
        Self { text: String::from_utf8_lossy(&text).into_owned(), kind: Kind::Constant(msgpack) }
    }

    /// Whether it is the same for all events with one tag from one input of one server.
    pub(in crate::pipeline) fn is_of_the_tag(&self) -> bool {
        match &self.kind {
            Kind::Constant(_) => true,
            Kind::Copy(placeholder) => placeholder.is_of_the_tag(),
            Kind::Text(parts) => parts.iter().all(|part| match part {
                Part::Literal(_) => true,
                Part::Placeholder(placeholder) => placeholder.is_of_the_tag(),
            }),
        }
    }
}

/// The text that was parsed; of a constant its JSON.
impl fmt::Display for ValueTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn encoded(text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    write_str(&mut value, text.as_bytes());
    value
}

/// Renders values; keeps its memory from event to event.
#[derive(Debug, Default)]
pub struct ValueRenderer {
    value: Vec<u8>,
    text: Vec<u8>,
}

impl ValueRenderer {
    /// The encoded value for an event.
    pub fn render<'s>(&'s mut self, template: &'s ValueTemplate, event: &Event<'_>) -> &'s [u8] {
        self.value.clear();
        match &template.kind {
            Kind::Constant(value) => return value,
            Kind::Copy(placeholder) => match placeholder.resolve(event) {
                Resolved::Value(value) => self.value.extend_from_slice(value),
                _ => write_str(&mut self.value, b""),
            },
            Kind::Text(parts) => {
                self.text.clear();
                for part in parts {
                    match part {
                        Part::Literal(literal) => self.text.extend_from_slice(literal.as_bytes()),
                        Part::Placeholder(placeholder) => self.write(placeholder.resolve(event)),
                    }
                }
                write_str(&mut self.value, &self.text);
            }
        }
        &self.value
    }

    fn write(&mut self, resolved: Resolved<'_>) {
        match resolved {
            Resolved::Missing => {}
            Resolved::Text(text) => self.text.extend_from_slice(text),
            Resolved::Time(time) => write_timestamp(&mut self.text, time, Fraction::Milliseconds),
            Resolved::Value(value) => match read(value, &mut 0) {
                Ok(Token::Array(_) | Token::Map(_)) => write_value(&mut self.text, value),
                Ok(token) => write_plain(&mut self.text, token),
                Err(_) => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_time::EventTime;
    use crate::pipeline::event::Source;
    use crate::pipeline::record::RecordBuffer;

    /// `{"s": "é", "n": 5, "m": {"k": [1]}, "z": nil}`
    const RECORD: &[u8] = b"\x84\xa1s\xa2\xc3\xa9\xa1n\x05\xa1m\x81\xa1k\x91\x01\xa1z\xc0";

    fn rendered(template: &str) -> String {
        let template = ValueTemplate::parse(template).unwrap();
        let source = Source {
            source_address: Some("192.0.2.7"),
            alternative_names: &[
                "DNS:engine-1",
                "URI:spiffe://a",
                "DNS:engine-1.example.com",
                "IP:192.0.2.7",
            ],
            host_name: Some("engine-1.lan"),
            user: Some("engine"),
            ..Source::of_engine(b"nginx.access", EventTime::new(1_771_322_400, 123_000_000).unwrap())
        };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(RECORD);
        let event = Event {
            source: &source,
            server: "logserver-1",
            time: EventTime::new(1, 0).unwrap(),
            metadata: None,
            record: editor.fields(),
            index: 0,
        };
        let mut out = Vec::new();
        write_value(&mut out, ValueRenderer::default().render(&template, &event));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn one_field_is_copied_with_its_type() {
        assert_eq!(rendered("{n}"), "5");
        assert_eq!(rendered("{m}"), r#"{"k":[1]}"#);
        assert_eq!(rendered("{z}"), "null");
        assert_eq!(rendered("{missing}"), r#""""#);
    }

    #[test]
    fn text_holds_placeholders_as_text() {
        assert_eq!(rendered("{s}-{n}-{m.k}-{z}{missing}"), r#""é-5-[1]-""#);
        assert_eq!(rendered("{tag[0]} {tag[-1]} {tag}"), r#""nginx access nginx.access""#);
        assert_eq!(
            rendered("{@received_at} {@time}"),
            r#""2026-02-17T10:00:00.123Z 1970-01-01T00:00:01.000Z""#
        );
        assert_eq!(
            rendered("{@server} {@sender} {@source_address} {@input} <{@subject}{@fingerprint}>"),
            r#""logserver-1 CN=engine-1 192.0.2.7 edge <>""#
        );
        assert_eq!(rendered("{@source_hostname} {@user}"), r#""engine-1.lan engine""#);
        assert_eq!(
            rendered(
                "{@san_dns[0]} {@san_dns[-1]} {@san_uri[0]} {@san_ip[0]} <{@san_dns[2]}{@san_email[0]}>"
            ),
            r#""engine-1 engine-1.example.com spiffe://a 192.0.2.7 <>""#
        );
        assert_eq!(rendered("a{{b}}%c"), r#""a{b}%c""#);
        assert_eq!(rendered(""), r#""""#);
    }

    #[test]
    fn templates_show_as_they_were_written() {
        assert_eq!(ValueTemplate::parse("{{a}} {b}").unwrap().to_string(), "{{a}} {b}");
        assert_eq!(ValueTemplate::constant(b"\x92\x01\xc3".to_vec()).to_string(), "[1,true]");
        assert!(ValueTemplate::parse("${a}").is_err());
    }
}
