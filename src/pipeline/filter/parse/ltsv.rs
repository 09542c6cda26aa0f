//! [Labeled tab-separated values](http://ltsv.org/): `label:value` with tabs between.

use super::Wrong;
use super::found::Found;

pub(super) fn parse(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    for pair in text.split(|byte| *byte == b'\t').filter(|pair| !pair.is_empty()) {
        let colon = memchr::memchr(b':', pair).ok_or("a part of the text has no label")?;
        found.text(&pair[..colon], &pair[colon + 1..]);
    }
    if found.len() == 0 { Err("the text has no label") } else { Ok(()) }
}
