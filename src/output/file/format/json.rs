//! `format = "json"`: one object a line.

use super::inject::Inject;
use crate::pipeline::Event;
use crate::pipeline::json::{JsonText, write_key, write_string, write_value};

pub(super) fn write(out: &mut Vec<u8>, event: &Event<'_>, inject: &Inject) {
    if !event.record.is_whole() {
        return write_any(out, event, inject);
    }
    let mut json = JsonText::begin(out, event.record.about_length());
    let mut missing = inject.missing();
    json.object(|json| {
        event.record.open().for_each(|field| {
            let injected = if let Some((name, used)) = field.json() {
                json.block(name, used);
                // Without the comma, the quotes and the colon.
                missing.take(&name[2..used - 2])
            } else if let Some((bytes, length)) = field.name() {
                json.name(b',', bytes, length);
                missing.take(&bytes[..length])
            } else {
                json.byte(b',');
                json.key(field.key());
                json.byte(b':');
                None
            };
            json.value(injected.unwrap_or_else(|| field.value()));
        });
        for (name, value) in missing.rest() {
            json.bytes(name);
            json.value(value);
        }
    });
    json.byte(b'\n');
    json.finish();
}

/// As [`write`], for records with fields that nobody looked at as well.
fn write_any(out: &mut Vec<u8>, event: &Event<'_>, inject: &Inject) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::InjectConfig;
    use crate::event_time::EventTime;
    use crate::pipeline::Source;
    use crate::pipeline::field_path::FieldPath;
    use crate::pipeline::record::RecordBuffer;
    use crate::pipeline::time_format::TimeFormat;
    use crate::wire::msgpack::{write_bin, write_map, write_str, write_u64};

    /// A name that may come twice, and may be that of an injected field, or an encoded key that is no text.
    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![Just("tag".to_owned()), Just("time".to_owned()), "[a-c]{0,2}", "\\PC{0,40}"];
        prop_oneof![
            4 => text.clone().prop_map(|text| encoded(|out| write_str(out, text.as_bytes()))),
            1 => text.prop_map(|text| encoded(|out| write_bin(out, text.as_bytes()))),
            1 => any::<u64>().prop_map(|number| encoded(|out| write_u64(out, number))),
            1 => Just(vec![0x92, 0x01, 0xa1, b'x']),
        ]
    }

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80)
                .prop_map(|text| encoded(|out| write_str(out, &text))),
            "[ -~]{0,20}".prop_map(|text| encoded(|out| write_str(out, text.as_bytes()))),
            any::<u64>().prop_map(|number| encoded(|out| write_u64(out, number))),
            Just(b"\x82\xa1a\x91\xa1b\xa1c\xc0".to_vec()),
        ]
    }

    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    proptest! {
        #[test]
        fn a_record_is_written_the_same_either_way(
            pairs in proptest::collection::vec((any_key(), any_value()), 0..12),
            set in proptest::option::of(("[a-c]{1,2}", any_value())),
            names in (any::<bool>(), any::<bool>()),
        ) {
            let mut record = encoded(|out| write_map(out, pairs.len() as u32));
            record.extend(pairs.into_iter().flat_map(|(key, value)| [key, value].concat()));
            let time = EventTime::new(1_771_322_400, 123_456_789).unwrap();
            let source = Source::of_engine(b"nginx.access", time);
            let mut buffer = RecordBuffer::default();
            let mut editor = buffer.open(&record);
            if let Some((name, value)) = set {
                editor.set(&FieldPath::parse(&name).unwrap(), &value);
            }
            let event =
                Event { source: &source, server: "s", time, metadata: None, record: editor.fields(), index: 0 };
            let format = TimeFormat::parse("%Y-%m-%dT%H:%M:%S", jiff::tz::TimeZone::UTC).unwrap();
            let mut inject = Inject::new(&InjectConfig {
                tag: names.0.then(|| "tag".to_owned()),
                time: names.1.then(|| ("time".to_owned(), format)),
            });
            inject.prepare(&event);
            let mut plain = Vec::new();
            write_any(&mut plain, &event, &inject);
            let mut quick = Vec::new();
            write(&mut quick, &event, &inject);
            prop_assert_eq!(String::from_utf8(quick).unwrap(), String::from_utf8(plain).unwrap());
        }
    }
}
