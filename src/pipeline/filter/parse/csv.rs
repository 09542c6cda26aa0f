//! One line of [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), with any delimiter.

use super::Wrong;
use super::found::Found;

pub(super) fn parse(text: &[u8], columns: &[String], delimiter: u8, found: &mut Found) -> Result<(), Wrong> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let mut rest = Some(text.strip_suffix(b"\r").unwrap_or(text));
    for column in columns {
        let line = rest.ok_or("the text has too few columns")?;
        rest = if line.starts_with(b"\"") {
            quoted(&line[1..], column, delimiter, found)?
        } else {
            let end = memchr::memchr(delimiter, line).unwrap_or(line.len());
            found.text(column.as_bytes(), &line[..end]);
            line.get(end + 1..)
        };
    }
    if rest.is_some() { Err("the text has too many columns") } else { Ok(()) }
}

/// Adds a column up to its closing quote; `""` is a quote. What is behind the delimiter remains.
fn quoted<'a>(
    text: &'a [u8],
    column: &str,
    delimiter: u8,
    found: &mut Found,
) -> Result<Option<&'a [u8]>, Wrong> {
    let mut doubled = 0;
    let mut at = 0;
    let end = loop {
        at += memchr::memchr(b'"', &text[at..]).ok_or("a quote is never closed")?;
        if text.get(at + 1) != Some(&b'"') {
            break at;
        }
        doubled += 1;
        at += 2;
    };
    if doubled == 0 {
        found.text(column.as_bytes(), &text[..end]);
    } else {
        let mut value = Vec::with_capacity(end - doubled);
        let mut parts = text[..end].split(|byte| *byte == b'"');
        value.extend_from_slice(parts.next().unwrap_or_default());
        // Every second part is the nothing between two quotes.
        for part in parts.skip(1).step_by(2) {
            value.push(b'"');
            value.extend_from_slice(part);
        }
        found.text(column.as_bytes(), &value);
    }
    match text.get(end + 1) {
        None => Ok(None),
        Some(byte) if *byte == delimiter => Ok(text.get(end + 2..)),
        Some(_) => Err("something follows a closing quote"),
    }
}
