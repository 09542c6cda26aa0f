//! `format = "json"`: one object a line.

use super::inject::Inject;
use crate::pipeline::Event;
use crate::pipeline::json::{write_key, write_string, write_value};

pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>, inject: &Inject) {
    let mut before = b'{';
    inject.fields(event.record).for_each(|field| {
        out.push(before);
        match field.name {
            Some(name) => write_string(out, name),
            None => write_key(out, field.key),
        }
        out.push(b':');
        write_value(out, field.value);
        before = b',';
    });
    if before == b'{' {
        out.push(b'{');
    }
    out.extend_from_slice(b"}\n");
}
