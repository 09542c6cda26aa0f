//! `format = "msgpack"`: `[time, record]` after `[time, record]`, as in PackedForward; the time is an EventTime.

use super::inject::Inject;
use crate::pipeline::Event;
use crate::wire::msgpack::{write_array, write_map};
use crate::wire::time::write_time;

pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>, inject: &Inject) {
    write_array(out, 2);
    write_time(out, event.time);
    write_map(out, inject.count(event.record));
    inject.fields(event.record).for_each(|field| {
        out.extend_from_slice(field.key);
        out.extend_from_slice(field.value);
    });
}
