//! Reading what outputs wrote.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Which events are in a file, in order.
///
/// # Errors
/// Where it is not whole: half a line, or half a gzip member. With `lenient`, as for files that others moved away and
/// nobody looks after any more, it is read as far as it goes.
pub(super) fn events(path: &Path, bytes: &[u8], lenient: bool) -> Result<Vec<usize>, String> {
    let not_whole = |what: &str| format!("{} is not whole: {what}", path.display());
    let mut inflated = Vec::new();
    let text = if path.extension().is_some_and(|extension| extension == "gz") {
        let read = flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut inflated);
        match read {
            Err(error) if !lenient && !bytes.is_empty() => return Err(not_whole(&error.to_string())),
            _ => &inflated[..],
        }
    } else {
        bytes
    };
    let mut events = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match numbers_in(line).filter(|_| line.ends_with(b"\n")) {
            Some(numbers) => events.extend(numbers),
            None if lenient => {}
            None => return Err(not_whole(&format!("the line {:?}", String::from_utf8_lossy(line)))),
        }
    }
    Ok(events)
}

/// Which events are in the letters of an output.
pub(super) fn events_in_letters(path: &Path, bytes: &[u8], output: &str) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let letter: Option<serde_json::Value> = serde_json::from_slice(line).ok();
        if letter.is_none_or(|letter| letter["output"] == output) {
            found.extend(events(path, line, false)?);
        }
    }
    Ok(found)
}

fn numbers_in(line: &[u8]) -> Option<Vec<usize>> {
    let text = str::from_utf8(line).ok()?;
    if let Some((_, number)) = text.split_once("\"n\":") {
        return Some(vec![number.split([',', '}']).next()?.parse().ok()?]);
    }
    // A dead letter must be readable as it is documented: JSON, with the entry as it came in base64.
    let letter: serde_json::Value = serde_json::from_str(text).ok()?;
    letter.get("reason")?.as_str()?;
    if let Some(entries) = letter.get("entries") {
        // What an output gave up is one letter, with all that was in the message.
        return numbers_in_entries(&BASE64_STANDARD.decode(entries.as_str()?).ok()?);
    }
    let entry = BASE64_STANDARD.decode(letter.get("msgpack")?.as_str()?).ok()?;
    Some(vec![number_in_entry(&entry)?])
}

fn numbers_in_entries(mut entries: &[u8]) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    while let Some(start) = start_of_record(entries) {
        numbers.push(number_in_entry(&entries[start..])?);
        entries = &entries[start + MAP_AND_KEY..];
    }
    Some(numbers)
}

/// Bytes of the header of a record, and of its first key.
const MAP_AND_KEY: usize = 3;

/// Where the next record begins: its first key is one that is nowhere else.
pub(super) fn start_of_record(entries: &[u8]) -> Option<usize> {
    entries.windows(MAP_AND_KEY).position(|bytes| bytes == b"\x83\xa1n")
}

/// The number of the first event in msgpack.
pub(super) fn number_in_entry(entry: &[u8]) -> Option<usize> {
    let at = entry.windows(2).position(|pair| pair == b"\xa1n")? + 2;
    match entry.get(at..)? {
        [number @ 0..=0x7f, ..] => Some(usize::from(*number)),
        [0xcc, number, ..] => Some(usize::from(*number)),
        [0xcd, high, low, ..] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}
