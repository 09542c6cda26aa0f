//! Syslog.
//!
//! ```text
//! <34>Oct 11 22:14:15 mymachine su[230]: 'su root' failed          RFC 3164
//! <165>1 2003-10-11T22:14:15.003Z host app 123 ID47 [a@1 k="v"] text   RFC 5424
//! ```

use super::Wrong;
use super::error_log::split;
use super::found::{Found, integer};
use crate::wire::msgpack::{write_map, write_str, write_u64};

const NOT_3164: Wrong = "the text is no syslog message of RFC 3164";
const NOT_5424: Wrong = "the text is no syslog message of RFC 5424";

/// The highest priority: facility 23, severity 7.
const MAX_PRIORITY: i64 = 191;

/// `facility` and `severity` where there is a priority, `time`, `host`, `ident`, `pid` where there is one, `message`.
pub(super) fn parse_rfc3164(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let text = text.trim_ascii_end();
    let text = if text.starts_with(b"<") { priority(text, found).ok_or(NOT_3164)? } else { text };
    // `Oct 11 22:14:15`, always of this length: a day below ten has a space in front.
    let (time, rest) = text.split_at_checked(15).ok_or(NOT_3164)?;
    let is_time = time.iter().enumerate().all(|(at, byte)| match at {
        0..=2 => byte.is_ascii_alphabetic(),
        3 | 6 => *byte == b' ',
        4 => byte.is_ascii_digit() || *byte == b' ',
        9 | 12 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let rest = rest.strip_prefix(b" ").filter(|_| is_time).ok_or(NOT_3164)?;
    let (host, rest) = split(rest, b" ").ok_or(NOT_3164)?;
    found.text(b"time", time);
    found.text(b"host", host);
    let tag = rest.iter().take_while(|byte| !b" :[".contains(byte)).count();
    let (ident, behind) = rest.split_at(tag);
    let message = match behind {
        [b'[', ..] => match split(&behind[1..], b"]") {
            Some((pid, message)) => {
                found.text(b"ident", ident);
                found.number_or_hyphen("pid", pid);
                message.strip_prefix(b":").unwrap_or(message)
            }
            None => rest,
        },
        [b':', message @ ..] => {
            found.text(b"ident", ident);
            message
        }
        _ => rest,
    };
    found.text(b"message", message.strip_prefix(b" ").unwrap_or(message));
    Ok(())
}

/// `facility`, `severity`, `time`, `host`, `ident`, `pid`, `message_id`, `structured_data` as a map of maps, `message`;
/// what is a hyphen is left out.
pub(super) fn parse_rfc5424(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let rest =
        priority(text.trim_ascii_end(), found).and_then(|rest| rest.strip_prefix(b"1 ")).ok_or(NOT_5424)?;
    let mut rest = rest;
    for name in ["time", "host", "ident", "pid", "message_id"] {
        let (value, behind) = split(rest, b" ").filter(|(value, _)| !value.is_empty()).ok_or(NOT_5424)?;
        match name {
            "pid" => found.number_or_hyphen(name, value),
            _ => found.text_or_hyphen(name, value),
        }
        rest = behind;
    }
    let rest = match rest.strip_prefix(b"-") {
        Some(rest) => rest,
        None => structured_data(rest, found).ok_or(NOT_5424)?,
    };
    if rest.is_empty() {
        return Ok(());
    }
    let message = rest.strip_prefix(b" ").ok_or(NOT_5424)?;
    found.text(b"message", message.strip_prefix("\u{feff}".as_bytes()).unwrap_or(message));
    Ok(())
}

/// Adds facility and severity of `<34>`; what is behind.
fn priority<'a>(text: &'a [u8], found: &mut Found) -> Option<&'a [u8]> {
    let (digits, rest) = split(text.strip_prefix(b"<")?, b">")?;
    let priority = integer(digits).filter(|priority| (0..=MAX_PRIORITY).contains(priority))?;
    for (name, number) in [("facility", priority / 8), ("severity", priority % 8)] {
        found.key(name.as_bytes());
        write_u64(found.value(), number as u64);
    }
    Some(rest)
}

/// Adds `[id name="value" …]…` as a map of maps; what is behind.
fn structured_data<'a>(text: &'a [u8], found: &mut Found) -> Option<&'a [u8]> {
    let elements = Elements { rest: text };
    let mut after = text;
    let mut count = 0;
    for element in elements.clone() {
        after = element?.behind;
        count += 1;
    }
    if count == 0 {
        return None;
    }
    found.key(b"structured_data");
    let out = found.value();
    write_map(out, count);
    for Element { id, parameters, .. } in elements.flatten() {
        write_str(out, id);
        write_map(out, Parameters { rest: parameters }.count() as u32);
        for (name, value) in (Parameters { rest: parameters }).flatten() {
            write_str(out, name);
            write_unescaped(out, value);
        }
    }
    Some(after)
}

#[derive(Clone)]
struct Elements<'a> {
    rest: &'a [u8],
}

struct Element<'a> {
    id: &'a [u8],
    parameters: &'a [u8],
    behind: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    /// `None` where an element is not as it should be.
    type Item = Option<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.strip_prefix(b"[")?;
        let id = text.iter().take_while(|byte| !b" ]".contains(byte)).count();
        let parameters = &text[id..];
        let mut pairs = Parameters { rest: parameters };
        let whole = id > 0 && pairs.by_ref().all(|pair| pair.is_some()) && pairs.rest.starts_with(b"]");
        self.rest = if whole { &pairs.rest[1..] } else { &[] };
        Some(whole.then_some(Element { id: &text[..id], parameters, behind: self.rest }))
    }
}

/// ` name="value"` one after the other.
struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Option<(&'a [u8], &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.strip_prefix(b" ")?;
        let pair = split(text, b"=\"").and_then(|(name, value)| {
            let mut end = 0;
            while *value.get(end)? != b'"' {
                end += if value[end] == b'\\' { 2 } else { 1 };
            }
            let is_name = !name.is_empty() && !name.iter().any(|byte| b" ]\"=".contains(byte));
            is_name.then(|| (name, &value[..end], &value[end + 1..]))
        });
        self.rest = pair.map_or(&[], |(_, _, behind)| behind);
        Some(pair.map(|(name, value, _)| (name, value)))
    }
}

/// RFC 5424, 6.3.3: a backslash in front of a quote, a backslash or a bracket is left out.
fn write_unescaped(out: &mut Vec<u8>, value: &[u8]) {
    if memchr::memchr(b'\\', value).is_none() {
        return write_str(out, value);
    }
    let mut text = Vec::with_capacity(value.len());
    let mut bytes = value.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte == b'\\' && matches!(bytes.peek(), Some(b'"' | b'\\' | b']')) {
            text.extend(bytes.next());
        } else {
            text.push(*byte);
        }
    }
    write_str(out, &text);
}
