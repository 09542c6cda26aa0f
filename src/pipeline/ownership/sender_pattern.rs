//! Which senders a row of `owners` is about: `DNS:*.acme.example`, `user:acme`.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::pipeline::event::Source;
use crate::pipeline::template::{Proof, SyntaxError};

/// Senders by something that they proved.
///
/// `*` stands for any text, the empty one as well, up to the next separator: `.` in `DNS:`, `/` in `URI:`, `@` in
/// `email:`, `,` and `+` in `subject:`, none in `user:`. So `subject:CN=*,O=Acme` takes no subject with one part more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderPattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Anyone,
    /// Of these kind and text, of which `*` stands for any.
    AlternativeName(&'static str, Glob),
    Subject(Glob),
    User(Glob),
    /// Lowercase hex.
    Fingerprint(String),
    Network(IpNet),
    /// Of a process on a Unix socket.
    Uid(u32),
}

/// What stands before the first colon, for messages.
const KINDS: &str =
    "`DNS:`, `URI:`, `IP:`, `email:`, `subject:`, `fingerprint:`, `user:`, `address:` or `uid:`";

impl SenderPattern {
    /// Every sender of the input.
    pub fn anyone() -> Self {
        Self { text: "*".to_owned(), kind: Kind::Anyone }
    }

    /// Parses `KIND:TEXT`.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let wrong = |message: String| SyntaxError { at: 0..text.len(), message };
        let Some((kind, pattern)) = text.split_once(':').filter(|(_, pattern)| !pattern.is_empty()) else {
            return Err(wrong(format!("expected senders as one of {KINDS} and what they have to prove")));
        };
        let kind = match kind {
            "DNS" => Kind::AlternativeName("DNS", Glob::new(pattern, &['.'])),
            "URI" => Kind::AlternativeName("URI", Glob::new(pattern, &['/'])),
            "IP" => Kind::AlternativeName("IP", Glob::new(pattern, &['.', ':'])),
            "email" => Kind::AlternativeName("email", Glob::new(pattern, &['@'])),
            "subject" => Kind::Subject(Glob::new(pattern, &[',', '+'])),
            "user" => Kind::User(Glob::new(pattern, &[])),
            "fingerprint" => Kind::Fingerprint(fingerprint(pattern).ok_or_else(|| {
                wrong(
                    "expected the SHA-256 of a certificate as 64 hex digits, with or without colons"
                        .to_owned(),
                )
            })?),
            "address" => Kind::Network(network(pattern).ok_or_else(|| {
                wrong("expected an address or a network such as `address:10.1.0.0/16`".to_owned())
            })?),
            "uid" => Kind::Uid(
                pattern.parse().map_err(|_| wrong("expected a user id such as `uid:1000`".to_owned()))?,
            ),
            _ => return Err(wrong(format!("`{kind}:` is unknown: expected {KINDS}"))),
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// Whether it is about the sender of a chunk.
    pub fn fits(&self, source: &Source<'_>) -> bool {
        match &self.kind {
            Kind::Anyone => true,
            Kind::AlternativeName(kind, glob) => source.alternative_names.iter().any(|name| {
                let name = name.strip_prefix(kind).and_then(|name| name.strip_prefix(':'));
                name.is_some_and(|name| glob.matches(name))
            }),
            Kind::Subject(glob) => source.subject.is_some_and(|subject| glob.matches(subject)),
            Kind::User(glob) => source.user.is_some_and(|user| glob.matches(user)),
            Kind::Fingerprint(digits) => source.fingerprint == Some(digits.as_str()),
            Kind::Network(network) => {
                let address = source.source_address.and_then(|address| address.parse::<IpAddr>().ok());
                address.is_some_and(|address| network.contains(&address.to_canonical()))
            }
            // A certificate's subject and a host's name never are the whole of an identity that begins so.
            Kind::Uid(uid) => {
                source.source_address.is_none()
                    && source.subject.is_none()
                    && source.sender.strip_prefix("unix:uid=").is_some_and(|own| own.parse() == Ok(*uid))
            }
        }
    }

    /// What a sender has to have to fit.
    pub fn proof(&self) -> Proof {
        match self.kind {
            Kind::Anyone | Kind::Uid(_) => Proof::Nothing,
            Kind::AlternativeName(..) | Kind::Subject(_) | Kind::Fingerprint(_) => Proof::Certificate,
            Kind::User(_) => Proof::User,
            Kind::Network(_) => Proof::Address,
        }
    }

    /// Whether it is about processes on Unix sockets only.
    pub fn is_of_unix_socket(&self) -> bool {
        matches!(self.kind, Kind::Uid(_))
    }
}

/// The text that was parsed.
impl fmt::Display for SenderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn fingerprint(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|character| *character != ':').collect();
    let is_sha_256 = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_sha_256.then(|| digits.to_ascii_lowercase())
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.ok().map(|network| network.trunc())
}

/// Text with `*`, cut at its separators: part by part it fits or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glob {
    parts: Vec<String>,
    separators: &'static [char],
}

impl Glob {
    fn new(pattern: &str, separators: &'static [char]) -> Self {
        Self { parts: pattern.split_inclusive(separators).map(str::to_owned).collect(), separators }
    }

    fn matches(&self, text: &str) -> bool {
        let mut parts = self.parts.iter();
        let all = text.split_inclusive(self.separators).all(|text| {
            parts.next().is_some_and(|pattern| {
                // The separator stays with its part, so that none is taken for another.
                let (pattern, end) = cut_separator(pattern, self.separators);
                let (text, text_end) = cut_separator(text, self.separators);
                end == text_end && part_matches(pattern, text)
            })
        });
        all && parts.next().is_none()
    }
}

fn cut_separator<'t>(text: &'t str, separators: &[char]) -> (&'t str, &'t str) {
    text.split_at(text.strip_suffix(separators).unwrap_or(text).len())
}

/// Literal texts between the stars, in their order; the first one in front, the last one at the end.
fn part_matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for literal in middle.split('*') {
        match text.find(literal) {
            Some(at) => text = &text[at + literal.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_time::EventTime;
    use crate::journal::Position;

    fn source<'a>() -> Source<'a> {
        Source {
            tag: b"t",
            position: Position::new(1, 64),
            received_at: EventTime::from_unix_nanoseconds(0),
            input: "edge",
            sender: "",
            source_address: Some("10.1.2.3"),
            subject: Some("CN=engine-1,O=Acme"),
            fingerprint: Some("00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"),
            alternative_names: &["DNS:a.acme.example", "URI:spiffe://house/acme/7", "IP:192.0.2.7"],
            host_name: Some("acme"),
            user: Some("acme"),
        }
    }

    fn fits(pattern: &str) -> bool {
        SenderPattern::parse(pattern).unwrap().fits(&source())
    }

    #[test]
    fn senders_are_told_by_what_they_proved() {
        for pattern in [
            "DNS:a.acme.example",
            "DNS:*.acme.example",
            "DNS:*.*.*",
            "URI:spiffe://house/acme/*",
            "IP:192.0.2.7",
            "subject:CN=engine-1,O=Acme",
            "subject:CN=engine-*,O=Acme",
            "subject:*=*-*,O=*",
            "user:acme",
            "user:a*e",
            "user:*",
            "address:10.1.0.0/16",
            "address:10.1.2.3",
            &format!("fingerprint:{}", "00:FF:".repeat(16).trim_end_matches(':')),
        ] {
            assert!(fits(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_star_ends_at_a_separator_and_nothing_fits_in_part() {
        for pattern in [
            "DNS:acme.example",
            "DNS:*.example",
            "DNS:*",
            "DNS:*.acme.example.org",
            "DNS:A.acme.example",
            "URI:spiffe://house/*",
            "URI:spiffe://house/acme/7/x",
            "subject:CN=engine-1",
            "subject:CN=*",
            "subject:CN=engine-1,O=Acme,O=Other",
            "subject:CN=engine-1+O=Acme",
            "user:acm",
            "user:acme*x",
            "address:10.2.0.0/16",
            "uid:0",
            "IP:192.0.2.8",
        ] {
            assert!(!fits(pattern), "{pattern}");
        }
        // A host's name is what it calls itself.
        assert!(SenderPattern::parse("host:acme").is_err());
    }

    #[test]
    fn an_escaped_comma_of_a_subject_is_no_way_into_another_part() {
        let pattern = SenderPattern::parse("subject:CN=*,O=Acme").unwrap();
        let fits = |subject| pattern.fits(&Source { subject: Some(subject), ..source() });
        assert!(fits("CN=x,O=Acme"));
        assert!(!fits(r"CN=x\,O=Acme,O=Evil"));
        assert!(!fits(r"O=Evil,CN=x,O=Acme"));
    }

    #[test]
    fn processes_are_told_by_their_user() {
        let unix = |sender| Source { sender, source_address: None, subject: None, user: None, ..source() };
        let pattern = SenderPattern::parse("uid:1000").unwrap();
        assert!(pattern.fits(&unix("unix:uid=1000")));
        assert!(!pattern.fits(&unix("unix:uid=10001")));
        assert!(!pattern.fits(&unix("host=unix:uid=1000")));
        assert!(!pattern.fits(&Source { sender: "unix:uid=1000", ..source() }));
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        for (text, part) in [
            ("acme", "`DNS:`"),
            ("DNS:", "`DNS:`"),
            ("dns:acme", "`dns:` is unknown"),
            ("fingerprint:00ff", "64 hex digits"),
            ("address:10.1", "network"),
            ("uid:root", "user id"),
        ] {
            let error = SenderPattern::parse(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {error}");
        }
    }
}
