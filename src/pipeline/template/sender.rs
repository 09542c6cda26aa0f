//! Values that are made of what a sender proved to be: what `allow` and `owners` hold senders to.

use std::fmt;

use super::SyntaxError;
use super::placeholder::{About, Piece, Pieces, Placeholder, Resolved};
use crate::pipeline::event::{Event, Source};
use crate::pipeline::record::RecordBuffer;

/// Text with placeholders of the sender's attributes: `{@san_dns[0]}`, `{@user}-logs`.
#[derive(Debug, Clone, PartialEq)]
pub struct SenderTemplate {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    Attribute(Placeholder, Proof),
}

/// What the sender has to have for an attribute to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A client certificate.
    Certificate,
    /// A user and a password in the shared key handshake.
    User,
    /// A connection over TCP.
    Address,
    /// Anything: the attribute is there for every sender.
    Nothing,
}

impl SenderTemplate {
    /// Parses text with placeholders. Those that a sender could choose at will are refused: its fields, its tag, its
    /// times, and what it calls its host.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parts = Vec::new();
        let mut pieces = Pieces::new(text);
        loop {
            let start = pieces.at;
            let Some(piece) = pieces.next()? else { break };
            match (piece, parts.last_mut()) {
                (Piece::Literal(more), Some(Part::Literal(literal))) => literal.push_str(more),
                (Piece::Literal(literal), _) => parts.push(Part::Literal(literal.to_owned())),
                (Piece::Placeholder(placeholder, name), _) => match proof(&placeholder) {
                    Some(proof) => parts.push(Part::Attribute(placeholder, proof)),
                    None => {
                        let message = format!(
                            "`{{{name}}}` is nothing that a sender has to prove: there are {{@san_dns[0]}}, \
                             {{@san_uri[0]}}, {{@san_ip[0]}}, {{@san_email[0]}}, {{@subject}}, {{@fingerprint}}, \
                             {{@user}}, {{@source_address}}, {{@input}}"
                        );
                        return Err(SyntaxError { at: start..pieces.at, message });
                    }
                },
            }
        }
        if parts.is_empty() {
            let message = "the value is empty; a missing field has no owner".to_owned();
            return Err(SyntaxError { at: 0..0, message });
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// The value for a sender. `None` where one of the attributes is missing or empty: then nothing is allowed, rather
    /// than what is left of the text.
    pub fn render(&self, source: &Source<'_>) -> Option<Vec<u8>> {
        let mut value = Vec::new();
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(&[0x80]);
        let event = Event {
            source,
            server: "",
            time: source.received_at,
            metadata: None,
            record: editor.fields(),
            index: 0,
        };
        for part in &self.parts {
            match part {
                Part::Literal(literal) => value.extend_from_slice(literal.as_bytes()),
                Part::Attribute(placeholder, _) => match placeholder.resolve(&event) {
                    Resolved::Text(text) if !text.is_empty() => value.extend_from_slice(text),
                    _ => return None,
                },
            }
        }
        Some(value)
    }

    /// What a sender has to have, placeholder by placeholder.
    pub fn proofs(&self) -> impl Iterator<Item = Proof> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Attribute(_, proof) => Some(*proof),
        })
    }

    /// The value, if it is the same for all senders.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(literal)] => Some(literal),
            _ => None,
        }
    }
}

/// The text that was parsed.
impl fmt::Display for SenderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What stands behind an attribute; `None` of what a sender says and need not prove.
fn proof(placeholder: &Placeholder) -> Option<Proof> {
    match placeholder {
        Placeholder::AlternativeName(..) | Placeholder::About(About::Subject | About::Fingerprint) => {
            Some(Proof::Certificate)
        }
        Placeholder::About(About::User) => Some(Proof::User),
        Placeholder::About(About::SourceAddress) => Some(Proof::Address),
        Placeholder::About(About::Input) => Some(Proof::Nothing),
        // Without certificate and user, a sender's identity is what it calls itself.
        Placeholder::About(
            About::Sender | About::SourceHostName | About::ReceivedAt | About::Time | About::Server,
        )
        | Placeholder::Field(_)
        | Placeholder::Tag
        | Placeholder::TagPart(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_time::EventTime;

    fn rendered(template: &str, names: &[&str], user: Option<&str>) -> Option<String> {
        let source = Source {
            source_address: Some("192.0.2.7"),
            alternative_names: names,
            host_name: Some("acme"),
            user,
            ..Source::of_engine(b"t", EventTime::from_unix_nanoseconds(0))
        };
        let value = SenderTemplate::parse(template).unwrap().render(&source)?;
        Some(String::from_utf8(value).unwrap())
    }

    #[test]
    fn a_missing_attribute_allows_nothing_rather_than_the_rest_of_the_text() {
        assert_eq!(
            rendered("{@san_dns[0]}-x", &["IP:192.0.2.7", "DNS:acme"], None).as_deref(),
            Some("acme-x")
        );
        assert_eq!(rendered("{@san_dns[0]}-x", &["IP:192.0.2.7"], None), None);
        assert_eq!(rendered("{@san_dns[0]}", &["DNS:"], None), None);
        assert_eq!(rendered("{@user}", &[], Some("acme")).as_deref(), Some("acme"));
        assert_eq!(rendered("{@user}", &[], Some("")), None);
        assert_eq!(rendered("a{{b}}", &[], None).as_deref(), Some("a{b}"));
    }

    #[test]
    fn what_a_sender_can_choose_is_no_proof() {
        for name in
            ["customer", "tag", "tag[0]", "@time", "@source_hostname", "@sender", "@server", "@received_at"]
        {
            let error = SenderTemplate::parse(&format!("x-{{{name}}}")).unwrap_err();
            assert_eq!(error.at, 2..name.len() + 4, "{name}");
            assert!(error.message.contains("prove"), "{name}: {error}");
        }
        assert!(SenderTemplate::parse("").is_err());
    }
}
