//! `key=value key="quoted value"`, as logfmt writes it. Words without `=` are passed over.

use super::Wrong;
use super::found::Found;

pub(super) fn parse(text: &[u8], delimiter: u8, found: &mut Found) -> Result<(), Wrong> {
    let mut rest = text;
    let mut unescaped = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'=' || *byte == delimiter).unwrap_or(rest.len());
        if rest.get(end) != Some(&b'=') {
            rest = rest.get(end + 1..).unwrap_or_default();
            continue;
        }
        let (key, value) = (rest[..end].trim_ascii(), &rest[end + 1..]);
        if key.is_empty() {
            return Err("a value has no key");
        }
        let (value, behind) = if value.starts_with(b"\"") {
            quoted(&value[1..], &mut unescaped)?
        } else {
            let end = memchr::memchr(delimiter, value).unwrap_or(value.len());
            (&value[..end], &value[end..])
        };
        found.text(key, value);
        rest = match behind {
            [] => behind,
            [first, behind @ ..] if *first == delimiter => behind,
            _ => return Err("something follows a closing quote"),
        };
    }
    if found.len() == 0 { Err("the text has no key=value") } else { Ok(()) }
}

/// The text up to the closing quote, without the backslashes of `\"` and `\\`, and what is behind.
fn quoted<'u, 't: 'u>(text: &'t [u8], unescaped: &'u mut Vec<u8>) -> Result<(&'u [u8], &'t [u8]), Wrong> {
    let mut at = 0;
    let mut escapes = false;
    let end = loop {
        match text.get(at) {
            None => return Err("a quote is never closed"),
            Some(b'"') => break at,
            Some(b'\\') => {
                escapes = true;
                at += 2;
            }
            Some(_) => at += 1,
        }
    };
    if !escapes {
        return Ok((&text[..end], &text[end + 1..]));
    }
    unescaped.clear();
    let mut bytes = text[..end].iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(escaped @ (b'"' | b'\\')) => unescaped.push(*escaped),
                Some(other) => unescaped.extend_from_slice(&[b'\\', *other]),
                None => unescaped.push(b'\\'),
            },
            byte => unescaped.push(*byte),
        }
    }
    Ok((unescaped, &text[end + 1..]))
}
