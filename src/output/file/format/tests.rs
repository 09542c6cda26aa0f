use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event_time::EventTime;
use crate::pipeline::Source;
use crate::pipeline::record::RecordBuffer;
use crate::pipeline::time_format::TimeFormat;
use crate::wire::entry::Entries;
use crate::wire::msgpack::{
    write_array, write_bin, write_bool, write_f64, write_i64, write_map, write_nil, write_str, write_u64,
};

fn written(format: &FileFormat, inject: &InjectConfig, record: &[u8]) -> Vec<u8> {
    let time = EventTime::new(1_771_322_400, 123_456_789).unwrap();
    let source = Source::of_engine(b"nginx.access", time);
    let mut buffer = RecordBuffer::default();
    let editor = buffer.open(record);
    let event =
        Event { source: &source, server: "s", time, metadata: None, record: editor.fields(), index: 0 };
    let mut out = Vec::new();
    Formatter::new(format, inject).write(&event, &mut out);
    out
}

fn text(format: &FileFormat, inject: &InjectConfig, record: &[u8]) -> String {
    String::from_utf8(written(format, inject, record)).unwrap()
}

fn inject() -> InjectConfig {
    let format = TimeFormat::parse("%Y-%m-%dT%H:%M:%S.%LZ", jiff::tz::TimeZone::UTC).unwrap();
    InjectConfig { tag: Some("tag".to_owned()), time: Some(("time".to_owned(), format)) }
}

fn csv(fields: &[&str]) -> FileFormat {
    FileFormat::Csv { fields: fields.iter().map(|path| FieldPath::parse(path).unwrap()).collect() }
}

/// `{"a": "x", "tag": 1, "b": {"c": [1, "y"]}}`
const RECORD: &[u8] = b"\x83\xa1a\xa1x\xa3tag\x01\xa1b\x81\xa1c\x92\x01\xa1y";

#[test]
fn json_is_one_object_a_line() {
    let none = InjectConfig::default();
    assert_eq!(text(&FileFormat::Json, &none, RECORD), "{\"a\":\"x\",\"tag\":1,\"b\":{\"c\":[1,\"y\"]}}\n");
    assert_eq!(text(&FileFormat::Json, &none, b"\x80"), "{}\n");
}

#[test]
fn injected_fields_replace_their_namesakes_and_else_come_last() {
    assert_eq!(
        text(&FileFormat::Json, &inject(), RECORD),
        "{\"a\":\"x\",\"tag\":\"nginx.access\",\"b\":{\"c\":[1,\"y\"]},\"time\":\"2026-02-17T10:00:00.123Z\"}\n"
    );
    assert_eq!(
        text(&FileFormat::Ltsv, &inject(), b"\x80"),
        "tag:nginx.access\ttime:2026-02-17T10:00:00.123Z\n"
    );
    assert_eq!(
        text(&csv(&["time", "a", "tag"]), &inject(), RECORD),
        "2026-02-17T10:00:00.123Z,x,nginx.access\n"
    );
}

#[test]
fn msgpack_reads_back_as_an_entry() {
    let bytes = written(&FileFormat::Msgpack, &inject(), RECORD);
    let entries: Vec<_> = Entries::new(&bytes).map(|item| item.unwrap().event().unwrap()).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].time, EventTime::new(1_771_322_400, 123_456_789));
    let none = InjectConfig::default();
    assert_eq!(text(&FileFormat::Json, &none, entries[0].record), text(&FileFormat::Json, &inject(), RECORD));
}

#[test]
fn ltsv_escapes_what_would_end_a_value() {
    let record = b"\x85\xa1a\xa7x\ty\nz\r\\\xa3b:\t\x05\xa1c\x91\xa1\t\xc0\xc3\xa1e\xc0";
    assert_eq!(
        text(&FileFormat::Ltsv, &InjectConfig::default(), record),
        "a:x\\ty\\nz\\r\\\\\tb__:5\tc:[\"\\\\t\"]\t:true\te:\n"
    );
}

#[test]
fn csv_quotes_what_would_end_a_field() {
    let record = b"\x84\xa1a\xa3x,y\xa1b\xa3\"q\"\xa1c\xa3l\nm\xa1d\x91\xa1z";
    assert_eq!(
        text(&csv(&["a", "b", "missing", "c", "d", "d.e"]), &InjectConfig::default(), record),
        "\"x,y\",\"\"\"q\"\"\",,\"l\nm\",\"[\"\"z\"\"]\",\n"
    );
}

/// A msgpack value, and what it must be in JSON where that is certain.
fn any_value() -> impl Strategy<Value = (Vec<u8>, Option<Value>)> {
    fn encoded(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }
    // serde_json's own reader is off by a bit at times, so that floats are compared by their text.
    fn reparsed(value: impl serde::Serialize) -> Option<Value> {
        serde_json::from_str(&serde_json::to_string(&value).ok()?).ok()
    }
    let leaf = prop_oneof![
        Just((encoded(write_nil), Some(Value::Null))),
        any::<bool>().prop_map(|value| (encoded(|out| write_bool(out, value)), Some(value.into()))),
        any::<u64>().prop_map(|value| (encoded(|out| write_u64(out, value)), Some(value.into()))),
        any::<i64>().prop_map(|value| (encoded(|out| write_i64(out, value)), Some(value.into()))),
        proptest::num::f64::ANY.prop_map(|value| (encoded(|out| write_f64(out, value)), reparsed(value))),
        proptest::num::f32::ANY.prop_map(|value| {
            (
                encoded(|out| {
                    out.push(0xca);
                    out.extend_from_slice(&value.to_be_bytes());
                }),
                reparsed(value),
            )
        }),
        ".{0,40}".prop_map(|text| (encoded(|out| write_str(out, text.as_bytes())), Some(text.into()))),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (encoded(|out| write_str(out, &bytes)), Some(text.into()))
        }),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|bytes| {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (encoded(|out| write_bin(out, &bytes)), Some(text.into()))
        }),
        (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| {
            (
                encoded(|out| {
                    out.extend_from_slice(&[0xc7, bytes.len() as u8, kind as u8]);
                    out.extend_from_slice(&bytes);
                }),
                None,
            )
        }),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let array = proptest::collection::vec(inner.clone(), 0..6).prop_map(|values| {
            let expected = values.iter().map(|(_, value)| value.clone()).collect::<Option<Vec<_>>>();
            let bytes = encoded(|out| {
                write_array(out, values.len() as u32);
                values.iter().for_each(|(bytes, _)| out.extend_from_slice(bytes));
            });
            (bytes, expected.map(Value::Array))
        });
        let map = proptest::collection::vec((inner.clone(), inner), 0..6).prop_map(|pairs| {
            let bytes = encoded(|out| {
                write_map(out, pairs.len() as u32);
                for ((key, _), (value, _)) in &pairs {
                    out.extend_from_slice(key);
                    out.extend_from_slice(value);
                }
            });
            (bytes, None)
        });
        prop_oneof![array, map]
    })
}

proptest! {
    #[test]
    fn every_record_is_valid_json(values in proptest::collection::vec(any_value(), 0..8)) {
        let mut record = Vec::new();
        write_map(&mut record, values.len() as u32);
        for (index, (bytes, _)) in values.iter().enumerate() {
            write_str(&mut record, format!("k{index}").as_bytes());
            record.extend_from_slice(bytes);
        }
        let line = text(&FileFormat::Json, &inject(), &record);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let parsed: Value = serde_json::from_str(&line).unwrap();
        for (index, (_, expected)) in values.iter().enumerate() {
            if let Some(expected) = expected {
                prop_assert_eq!(&parsed[format!("k{index}")], expected);
            }
        }
        prop_assert_eq!(&parsed["tag"], "nginx.access");
        // The other formats have a text for each of them, too.
        for format in [FileFormat::Ltsv, csv(&["k0", "k1", "k2"])] {
            prop_assert!(text(&format, &inject(), &record).ends_with('\n'));
        }
        let packed = written(&FileFormat::Msgpack, &InjectConfig::default(), &record);
        prop_assert_eq!(Entries::new(&packed).next().unwrap().unwrap().event().unwrap().record, &record);
    }

    #[test]
    fn keys_of_any_type_are_valid_json((key, _) in any_value(), (value, _) in any_value()) {
        let record = [b"\x81", key.as_slice(), &value].concat();
        let line = text(&FileFormat::Json, &InjectConfig::default(), &record);
        prop_assert!(serde_json::from_str::<Value>(&line).is_ok(), "{}", line);
    }
}
