//! `format = "csv"`: the named fields as in [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180), without a header; lines
//! end in a newline alone, as Fluentd's do.

use super::inject::Inject;
use super::text::write_text;
use crate::pipeline::Event;
use crate::pipeline::field_path::FieldPath;

pub(super) fn write(
    out: &mut Vec<u8>,
    event: &Event<'_>,
    inject: &Inject,
    fields: &[FieldPath],
    text: &mut Vec<u8>,
) {
    for (at, path) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let injected = match path.keys() {
            [name] => inject.get(name.as_bytes()),
            _ => None,
        };
        let Some(value) = injected.or_else(|| event.record.get(path)) else { continue };
        text.clear();
        write_text(text, value);
        write_field(out, text);
    }
    out.push(b'\n');
}

fn write_field(out: &mut Vec<u8>, text: &[u8]) {
    if !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for part in text.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(part);
        if part.ends_with(b"\"") {
            out.push(b'"');
        }
    }
    out.push(b'"');
}
