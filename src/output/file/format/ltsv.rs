//! `format = "ltsv"`: [labeled tab-separated values](http://ltsv.org/), `label:value` a field.
//!
//! LTSV itself has no escapes. Here tabs, newlines, carriage returns and backslashes in values are `\t`, `\n`, `\r` and
//! `\\`; those and colons in labels are `_`.

use super::inject::Inject;
use super::text::write_text;
use crate::pipeline::Event;

pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>, inject: &Inject, text: &mut Vec<u8>) {
    for (at, field) in inject.fields(event.record).enumerate() {
        if at > 0 {
            out.push(b'\t');
        }
        text.clear();
        write_text(text, field.key);
        out.extend(text.iter().map(|byte| match byte {
            b':' | b'\t' | b'\n' | b'\r' | b'\\' => b'_',
            byte => *byte,
        }));
        out.push(b':');
        text.clear();
        write_text(text, field.value);
        escape(out, text);
    }
    out.push(b'\n');
}

fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(clean) = rest.iter().position(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b'\\')) {
        out.extend_from_slice(&rest[..clean]);
        out.extend_from_slice(match rest[clean] {
            b'\t' => b"\\t",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\\\",
        });
        rest = &rest[clean + 1..];
    }
    out.extend_from_slice(rest);
}
