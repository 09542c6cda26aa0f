//! Access logs: nginx's `combined`, and Apache's `common` and `combined`, which are the same.
//!
//! ```text
//! 198.51.100.23 - user [17/Feb/2026:10:00:00 +0900] "GET /a HTTP/1.1" 200 48213 "referer" "agent" "forwarded for"
//! ```
//!
//! Fields have the names of nginx's variables. A hyphen means that there is nothing, and the field is left out.

use super::Wrong;
use super::found::Found;

const WRONG: Wrong = "the text is no line of an access log";

pub(super) fn parse(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let mut line = Line { rest: text.trim_ascii_end() };
    found.text_or_hyphen("remote_addr", line.word()?);
    line.word()?;
    // A user name may hold spaces; the bracket ends it.
    let bracket = memchr::memmem::find(line.rest, b" [").ok_or(WRONG)?;
    found.text_or_hyphen("remote_user", &line.rest[..bracket]);
    line.rest = &line.rest[bracket + 1..];
    found.text(b"time_local", line.between(b'[', b']')?);
    let request = line.between(b'"', b'"')?;
    found.text_or_hyphen("request", request);
    let mut words = request.splitn(3, |byte| *byte == b' ');
    if let (Some(method), Some(uri), Some(protocol)) = (words.next(), words.next(), words.next()) {
        found.text(b"request_method", method);
        found.text(b"request_uri", uri);
        found.text(b"server_protocol", protocol);
    }
    found.number_or_hyphen("status", line.word()?);
    found.number_or_hyphen("body_bytes_sent", line.word()?);
    for name in ["http_referer", "http_user_agent", "http_x_forwarded_for"] {
        if line.rest.is_empty() {
            break;
        }
        found.text_or_hyphen(name, line.between(b'"', b'"')?);
    }
    Ok(())
}

struct Line<'a> {
    rest: &'a [u8],
}

impl<'a> Line<'a> {
    /// The text up to the next space, which is not empty.
    fn word(&mut self) -> Result<&'a [u8], Wrong> {
        let end = memchr::memchr(b' ', self.rest).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        if word.is_empty() { Err(WRONG) } else { Ok(word) }
    }

    /// The text between two delimiters, of which a backslash takes the meaning; then a space or the end.
    fn between(&mut self, open: u8, close: u8) -> Result<&'a [u8], Wrong> {
        let inner = match self.rest {
            [first, inner @ ..] if *first == open => inner,
            _ => return Err(WRONG),
        };
        let mut end = 0;
        while *inner.get(end).ok_or(WRONG)? != close {
            end += if inner[end] == b'\\' { 2 } else { 1 };
        }
        self.rest = match &inner[end + 1..] {
            [] => &[],
            [b' ', rest @ ..] => rest,
            _ => return Err(WRONG),
        };
        Ok(&inner[..end])
    }
}
