//! Rendering paths, in two steps: a key for each event, and the path itself only where a key is new.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::path_parts::{PathPart, PathTemplate};
use super::path_time::{Conversion, LocalTime};
use super::path_value::{MAX_PATH_VALUE, write_path_value};
use super::placeholder::{Placeholder, Resolved};
use crate::event_time::EventTime;
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::event::Event;
use crate::pipeline::json::write_plain;
use crate::pipeline::timestamp::{Fraction, write_timestamp};
use crate::wire::msgpack::{Token, read};

/// Renders the paths of one output.
#[derive(Debug)]
pub struct PathRenderer {
    absolute: bool,
    components: Vec<Vec<Part>>,
    /// `None` where the path holds no time.
    time: Option<LocalTime>,
    /// What the time of the last event puts into a key.
    time_key: Vec<u8>,
    text: Vec<u8>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Conversion(Conversion),
    Value {
        placeholder: Placeholder,
        kept: CharacterSet,
        limit: usize,
        /// Where in its record the last event had the field.
        hint: usize,
    },
}

/// What a value's part of the key begins with, where its length does not.
const MISSING: u8 = 255;

impl PathRenderer {
    /// Character sets by the text between a placeholder's braces; `a-zA-Z0-9._-` for those that have none. The zone is
    /// that of `%Y %m %d %H %M %S`.
    pub fn new(template: &PathTemplate, characters: &BTreeMap<String, CharacterSet>, zone: TimeZone) -> Self {
        let mut finest = None;
        let mut components = Vec::new();
        for component in &template.components {
            let parts = component.parts.iter().map(|part| match part {
                PathPart::Literal(literal) => Part::Literal(literal.clone()),
                PathPart::Conversion(conversion) => {
                    finest = finest.max(Some(*conversion));
                    Part::Conversion(*conversion)
                }
                PathPart::Placeholder(placeholder, name) => Part::Value {
                    placeholder: placeholder.clone(),
                    kept: characters.get(name).cloned().unwrap_or_default(),
                    limit: component.value_limit,
                    hint: 0,
                },
            });
            components.push(parts.collect());
        }
        let time = finest.map(|finest| LocalTime::new(zone, finest));
        Self { absolute: template.absolute, components, time, time_key: Vec::new(), text: Vec::new() }
    }

    /// Puts into `key` what the path of this event depends on: events with the same key have the same path.
    ///
    /// The other way round, events with different keys can have the same path: `a/b` and `a_b` are both written `a_b`.
    /// A key is at most 130 bytes a placeholder.
    pub fn render_key(&mut self, event: &Event<'_>, key: &mut Vec<u8>) {
        key.clear();
        self.work_out_time(event.time);
        key.extend_from_slice(&self.time_key);
        for part in self.components.iter_mut().flatten() {
            match part {
                Part::Literal(_) | Part::Conversion(_) => {}
                Part::Value { placeholder, kept, limit, hint } => {
                    let resolved = match placeholder {
                        Placeholder::Field(path) => {
                            event.record.get_near(path, hint).map_or(Resolved::Missing, Resolved::Value)
                        }
                        placeholder => placeholder.resolve(event),
                    };
                    match path_text(resolved, &mut self.text) {
                        None => key.push(MISSING),
                        Some(text) if text.len() <= MAX_PATH_VALUE => {
                            key.push(text.len() as u8);
                            key.extend_from_slice(text);
                        }
                        // Behind a byte that is no length: what a value of any size comes down to.
                        text => {
                            key.push(MAX_PATH_VALUE as u8 + 1);
                            let start = key.len();
                            key.push(0);
                            write_path_value(key, text, kept, *limit);
                            key[start] = (key.len() - start - 1) as u8;
                        }
                    }
                }
            }
        }
    }

    /// Formats the time for keys, unless that of the event before gives the same.
    #[inline]
    fn work_out_time(&mut self, event_time: EventTime) {
        let Some(time) = &mut self.time else { return };
        if time.is_worked_out(event_time) {
            return;
        }
        let civil = time.at(event_time);
        self.time_key.clear();
        for part in self.components.iter().flatten() {
            if let Part::Conversion(conversion) = part {
                conversion.write(&mut self.time_key, civil);
            }
        }
    }

    /// The path of this event.
    pub fn render_path(&mut self, event: &Event<'_>) -> PathBuf {
        self.work_out_time(event.time);
        let civil = self.time.as_mut().map(|time| time.at(event.time));
        let mut path = Vec::new();
        for (at, component) in self.components.iter().enumerate() {
            if at > 0 || self.absolute {
                path.push(b'/');
            }
            for part in component {
                match part {
                    Part::Literal(literal) => path.extend_from_slice(literal.as_bytes()),
                    Part::Conversion(conversion) => {
                        if let Some(civil) = civil {
                            conversion.write(&mut path, civil);
                        }
                    }
                    Part::Value { placeholder, kept, limit, .. } => {
                        let value = path_text(placeholder.resolve(event), &mut self.text);
                        write_path_value(&mut path, value, kept, *limit);
                    }
                }
            }
        }
        PathBuf::from(OsString::from_vec(path))
    }
}

/// The text of a value, before it is made safe; `None` where it becomes `unknown`.
fn path_text<'a>(resolved: Resolved<'a>, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    scratch.clear();
    match resolved {
        Resolved::Missing => return None,
        Resolved::Text(text) => return Some(text),
        Resolved::Time(time) => write_timestamp(scratch, time, Fraction::Milliseconds),
        Resolved::Value([0xa0..=0xbf, text @ ..]) => return Some(text),
        Resolved::Value(value) => match read(value, &mut 0) {
            Ok(Token::Str(text) | Token::Bin(text)) => return Some(text),
            Ok(Token::Nil | Token::Array(_) | Token::Map(_) | Token::Ext(..)) | Err(_) => return None,
            Ok(token) => write_plain(scratch, token),
        },
    }
    Some(scratch)
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;
    use crate::event_time::EventTime;
    use crate::pipeline::event::Source;
    use crate::pipeline::record::RecordBuffer;
    use crate::wire::msgpack::{write_bin, write_map, write_str};

    fn renderer(template: &str) -> PathRenderer {
        let characters = BTreeMap::from([("strict".to_owned(), CharacterSet::parse("a-zA-Z0-9_-").unwrap())]);
        PathRenderer::new(&PathTemplate::parse(template).unwrap(), &characters, TimeZone::UTC)
    }

    /// The key and the path of an event with this tag and this record.
    fn render(renderer: &mut PathRenderer, tag: &[u8], record: &[u8], time: i64) -> (Vec<u8>, String) {
        let time = EventTime::new(time, 123_000_000).unwrap();
        let source = Source { sender: "CN=engine/1", ..Source::of_engine(tag, time) };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(record);
        let event =
            Event { source: &source, server: "s", time, metadata: None, record: editor.fields(), index: 0 };
        let mut key = Vec::new();
        renderer.render_key(&event, &mut key);
        (key, renderer.render_path(&event).into_os_string().into_string().unwrap())
    }

    fn path(template: &str, record: &[u8]) -> String {
        render(&mut renderer(template), b"nginx.access", record, 1_771_322_400).1
    }

    fn record(fields: &[(&str, &[u8])]) -> Vec<u8> {
        let mut record = Vec::new();
        write_map(&mut record, fields.len() as u32);
        for (name, value) in fields {
            write_str(&mut record, name.as_bytes());
            record.extend_from_slice(value);
        }
        record
    }

    #[test]
    fn fields_tags_and_times_are_filled_in() {
        let record =
            record(&[("a", b"\xa1x"), ("n", b"\xcd\x01\x00"), ("t", b"\xc3"), ("d", b"\x81\xa1e\xa1y")]);
        assert_eq!(
            path("/logs/{a}/{d.e}/{tag[1]}/%Y/%m/%d/%H%M%S-{n}-{t}.log.gz", &record),
            "/logs/x/y/access/2026/02/17/100000-256-true.log.gz"
        );
        assert_eq!(path("{@sender}/{{%%}}{@time}", &record), "CN_engine_1/{%}2026-02-17T10_00_00.123Z");
    }

    #[test]
    fn what_is_no_scalar_is_unknown() {
        for value in [&b"\xc0"[..], b"\xa0", b"\x80", b"\x90", b"\xd4\x05\x00"] {
            assert_eq!(path("logs/{a}", &record(&[("a", value)])), "logs/unknown", "{value:x?}");
        }
        assert_eq!(path("logs/{missing}/{tag[7]}/{@subject}", b"\x80"), "logs/unknown/unknown/unknown");
    }

    #[test]
    fn a_placeholder_can_have_its_own_characters() {
        let record = record(&[("strict", b"\xa3a.b"), ("other", b"\xa3a.b")]);
        assert_eq!(path("{strict}/{other}", &record), "a_b/a.b");
    }

    #[test]
    fn the_output_s_zone_decides_the_hour() {
        let template = PathTemplate::parse("%Y%m%d%H").unwrap();
        let zone = TimeZone::get("Asia/Tokyo").unwrap();
        let mut renderer = PathRenderer::new(&template, &BTreeMap::new(), zone);
        let mut path = |time| render(&mut renderer, b"", b"\x80", time).1;
        assert_eq!(path(1_771_340_399), "2026021723");
        assert_eq!(path(1_771_340_400), "2026021800");
        assert_eq!(path(1_771_340_399), "2026021723");
    }

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let dots = proptest::collection::vec(
            prop_oneof![Just(b'.'), Just(b'/'), Just(0), Just(b'a'), Just(b'\\'), Just(b'\n')],
            0..8,
        );
        let text = prop_oneof![dots, proptest::collection::vec(any::<u8>(), 0..400)];
        prop_oneof![
            text.clone().prop_map(|text| {
                let mut value = Vec::new();
                write_str(&mut value, &text);
                value
            }),
            text.prop_map(|text| {
                let mut value = Vec::new();
                write_bin(&mut value, &text);
                value
            }),
            Just(b"\xc0".to_vec()),
            Just(b"\x05".to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_folder(a in any_value(), b in any_value(), tag in proptest::collection::vec(any::<u8>(), 0..40)) {
            let record = record(&[("a", &a), ("b", &b)]);
            let mut renderer = renderer("/logs/{a}{b}/.{b}/{tag}/{tag[0]}-%Y.log");
            let path = PathBuf::from(render(&mut renderer, &tag, &record, 0).1);
            prop_assert!(path.starts_with("/logs"));
            prop_assert_eq!(path.components().count(), 6);
            for component in path.components().skip(1) {
                let Component::Normal(name) = component else { panic!("{component:?}") };
                prop_assert!(name.len() <= 255);
                prop_assert!(name.as_encoded_bytes().iter().all(|byte| byte.is_ascii_graphic()));
            }
            prop_assert!(path.to_str().unwrap().ends_with("-1970.log"));
        }

        #[test]
        fn events_with_the_same_key_have_the_same_path(
            values in proptest::collection::vec((any_value(), any_value(), 0i64..7200), 2..6)
        ) {
            let mut renderer = renderer("{a}{b}/%H");
            let rendered: Vec<_> = values
                .iter()
                .map(|(a, b, time)| render(&mut renderer, b"", &record(&[("a", a), ("b", b)]), *time))
                .collect();
            for (key, path) in &rendered {
                prop_assert!(key.len() <= 2 * 130 + 2);
                for (other_key, other_path) in &rendered {
                    prop_assert!(key != other_key || path == other_path);
                }
            }
        }
    }

    #[test]
    fn values_that_share_their_bytes_do_not_share_a_key() {
        let mut renderer = renderer("{a}/{b}");
        let mut key = |a: &[u8], b: &[u8]| render(&mut renderer, b"", &record(&[("a", a), ("b", b)]), 0).0;
        assert_ne!(key(b"\xa2xy", b"\xa1z"), key(b"\xa1x", b"\xa2yz"));
        assert_ne!(key(b"\xa0", b"\xa1z"), key(b"\xa1z", b"\xa0"));
    }
}
