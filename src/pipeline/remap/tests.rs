//! Programs and records.

use super::check::MAX_INDEX;
use super::*;
use crate::event_time::EventTime;
use crate::pipeline::event::Source;
use crate::pipeline::filter::{Context, Draft};
use crate::pipeline::json::write_value;
use crate::pipeline::ownership::Claim;
use crate::pipeline::record::RecordBuffer;
use crate::wire::msgpack::{
    MAX_DEPTH, skip, write_array, write_bin, write_f64, write_map, write_str, write_u64,
};

/// What a program made of an event.
struct Ran {
    outcome: Outcome,
    record: Vec<u8>,
    tag: String,
    time: EventTime,
}

impl Ran {
    fn json(&self) -> String {
        let mut text = Vec::new();
        write_value(&mut text, &self.record);
        String::from_utf8(text).unwrap()
    }
}

fn run(source: &str, record: &[u8]) -> Ran {
    let program = Program::compile(source).unwrap_or_else(|mistakes| panic!("{source}: {mistakes:?}"));
    let time = EventTime::new(1_771_322_400, 5).unwrap();
    let source = Source {
        source_address: Some("192.0.2.7"),
        alternative_names: &["DNS:a.example.com", "URI:spiffe://a", "DNS:b.example.com"],
        ..Source::of_engine(b"app.web", EventTime::new(1_771_322_401, 0).unwrap())
    };
    let mut buffer = RecordBuffer::default();
    let metadata = Some(&b"\x81\xa1k\xa1v"[..]);
    let mut draft = Draft {
        context: Context { source: &source, server: "logserver-1", time, metadata, index: 0 },
        record: buffer.open(record),
        is_invalid: false,
        claim: Claim::Fits,
    };
    let (mut scratch, mut tag) = (RemapScratch::default(), Vec::new());
    let outcome = program.run(&mut draft, &mut scratch, &mut tag);
    let mut record = Vec::new();
    draft.record.fields().write(&mut record);
    assert_eq!(skip(&record, 0), Ok(record.len()), "valid msgpack");
    Ran { outcome, record, tag: String::from_utf8(tag).unwrap(), time: draft.context.time }
}

fn json_of(source: &str, record: &[u8]) -> String {
    let ran = run(source, record);
    assert!(matches!(ran.outcome, Outcome::Done | Outcome::Retagged), "{source}: {:?}", ran.outcome);
    ran.json()
}

fn failure(source: &str, record: &[u8]) -> String {
    let ran = run(source, record);
    assert_eq!(ran.record, record, "{source}: what fails changes nothing");
    match ran.outcome {
        Outcome::Failed(reason) => reason,
        outcome => panic!("{source}: {outcome:?}"),
    }
}

/// The first mistake: what is at fault, and what is said about it.
fn mistake(source: &str) -> (&str, String) {
    match Program::compile(source) {
        Ok(_) => panic!("{source} compiles"),
        Err(mistakes) => (&source[mistakes[0].at.clone()], mistakes[0].message.clone()),
    }
}

/// Everything that VRL can't keep: `z` beyond 2^63, NaN, an ext type, a key that is no text, a key that is no UTF-8, a
/// map with such a key.
fn strange() -> Vec<u8> {
    let mut record = Vec::new();
    write_map(&mut record, 8);
    write_str(&mut record, b"z");
    write_u64(&mut record, u64::MAX);
    write_str(&mut record, b"nan");
    write_f64(&mut record, f64::NAN);
    write_str(&mut record, b"f32");
    record.extend(b"\xca\x3f\x00\x00\x00");
    write_str(&mut record, b"ext");
    record.extend(b"\xd4\x05\x07");
    record.extend(b"\x04\x05");
    write_str(&mut record, b"\xff");
    write_bin(&mut record, b"\xfe");
    write_str(&mut record, b"map");
    record.extend(b"\x82\x07\xa1v\xa1b\xd9\x01x");
    write_str(&mut record, b"a");
    write_str(&mut record, b"text");
    record
}

#[test]
fn what_a_program_leaves_alone_stays_byte_for_byte() {
    let record = strange();
    for source in [".z", "x = .", ".a = .a", "y = .map; .map = y; true", ".new = 1; del(.new)"] {
        assert_eq!(run(source, &record).record, record, "{source}");
    }
    // The name and its length, then the text.
    let changed = [&record[..record.len() - 5], b"\xa4TEXT"].concat();
    for source in [".a = upcase!(.a)", "x = .; x.a = \"TEXT\"; . = x; .a = \"TEXT\""] {
        let ran = run(source, &record);
        assert_eq!(ran.outcome, Outcome::Done, "{source}");
        if source.starts_with('.') {
            assert_eq!(ran.record, changed, "{source}");
        } else {
            // Whose name is not seen goes with the record that was replaced.
            assert_eq!(
                ran.json(),
                r#"{"z":18446744073709551615,"nan":null,"f32":0.5,"ext":"ext:5:07","map":{"7":"v","b":"x"},"a":"TEXT"}"#
            );
        }
    }
}

#[test]
fn what_vrl_cannot_keep_has_a_defined_form() {
    let record = strange();
    assert_eq!(json_of(". = {\"x\": .z}", &record), r#"{"x":1.8446744073709552e+19}"#);
    assert_eq!(
        json_of(". = {\"x\": [.nan, .f32, .ext, .missing]}", &record),
        r#"{"x":[null,0.5,"\u0007",null]}"#
    );
    assert_eq!(
        json_of(".map.c = true", &record[..]).matches(r#""map":{"7":"v","b":"x","c":true}"#).count(),
        1
    );
    let time = b"\x82\xa1t\xd7\x00\x69\x94\x3b\x20\x00\x00\x00\x05\xa1u\xd7\x00\0\0\0\0\0\0\0\0";
    assert_eq!(
        json_of(".s = format_timestamp!(.t, \"%Y-%m-%d\"); .t2 = .t; .u2 = .u", time),
        r#"{"t":"2026-02-17T09:55:44.000000005Z","u":null,"s":"2026-02-17","t2":"2026-02-17T09:55:44.000000005Z","u2":null}"#
            .replace(r#""u":null"#, r#""u":"1970-01-01T00:00:00.000000000Z""#)
    );
    // Text is `str`, bytes that are no UTF-8 are `bin`.
    assert_eq!(
        run(".b = .a", b"\x81\xa1a\xa2\xff\xfe").record,
        b"\x82\xa1a\xa2\xff\xfe\xa1b\xc4\x02\xff\xfe"
    );
    assert_eq!(run(".b = .a", b"\x81\xa1a\xc4\x01x").record, b"\x82\xa1a\xc4\x01x\xa1b\xa1x");
    // Of a key that comes twice the last value counts.
    assert_eq!(json_of(".b = .a.k", b"\x81\xa1a\x82\xa1k\x01\xa1k\x02"), r#"{"a":{"k":1,"k":2},"b":2}"#);
    assert_eq!(json_of(".b = r'^x$'", b"\x80"), r#"{"b":"^x$"}"#);
}

#[test]
fn fields_are_written_removed_and_keep_their_places() {
    let record = b"\x83\xa1b\x01\xa1a\x02\xa3c.d\x03";
    assert_eq!(json_of(".a = \"x\"; .z.y = [true]", record), r#"{"b":1,"a":"x","c.d":3,"z":{"y":[true]}}"#);
    assert_eq!(json_of("del(.b); .\"c.d\" = null", record), r#"{"a":2,"c.d":null}"#);
    assert_eq!(json_of(". = merge(., {\"b\": 7, \"0\": 1})", record), r#"{"b":7,"a":2,"c.d":3,"0":1}"#);
    assert_eq!(json_of("del(.); .x = 1", record), r#"{"x":1}"#);
    assert_eq!(
        json_of(".a, err = to_int(\"x\"); .err = err != null", record),
        r#"{"b":1,"a":0,"c.d":3,"err":true}"#
    );
    assert_eq!(json_of("if .a == 2 { .b = .c } else { del(.b) }", record), r#"{"b":null,"a":2,"c.d":3}"#);
    assert_eq!(json_of(".list[2] = 1", record), r#"{"b":1,"a":2,"c.d":3,"list":[null,null,1]}"#);
}

#[test]
fn metadata_is_read_and_tag_and_time_are_given() {
    let all = "{ \"r\": %received_at, \"s\": %server, \"i\": %input, \"f\": %sender, \"a\": %source_address, \
               \"u\": %user, \"d\": %san_dns, \"x\": %san_uri, \"m\": %metadata.k, \"t\": %tag, \"e\": %time }";
    assert_eq!(
        json_of(&format!(".x = {all}"), b"\x80"),
        r#"{"x":{"a":"192.0.2.7","d":["a.example.com","b.example.com"],"e":"2026-02-17T10:00:00.000000005Z","f":"CN=engine-1","i":"edge","m":"v","r":"2026-02-17T10:00:01Z","s":"logserver-1","t":"app.web","u":null,"x":["spiffe://a"]}}"#
    );
    let ran = run("%tag = \"lost.\" + %tag; %time = from_unix_timestamp!(-1)", b"\x80");
    assert_eq!((ran.outcome, ran.tag.as_str()), (Outcome::Retagged, "lost.app.web"));
    assert_eq!(ran.time, EventTime::new(-1, 0).unwrap());
    assert_eq!(run("%tag = \"app.web\"", b"\x80").outcome, Outcome::Done, "the same tag is no new one");
    assert!(Program::compile("%tag = \"x\"").unwrap().retags());
    assert!(!Program::compile(".x = %tag").unwrap().retags());
}

#[test]
fn tags_and_times_that_are_none_are_failures() {
    for source in ["%tag = \"\"", "%tag = 1", "%time = 1", "%time = from_unix_timestamp!(300000000000)"] {
        failure(source, b"\x80");
    }
    let long = |length: usize| format!("%tag = \"{}\"", "x".repeat(length));
    assert_eq!(run(&long(1024), b"\x80").outcome, Outcome::Retagged);
    assert!(failure(&long(1025), b"\x80").contains("1 to 1024 bytes"));
}

#[test]
fn what_fails_or_aborts_changes_nothing() {
    let record = b"\x81\xa1a\xa1x";
    assert!(failure(".a = 1; .b = to_int!(\"x\")", record).contains("to_int"));
    assert!(failure("del(.a); . = [1]", record).contains("object"));
    assert!(failure(".a = 1; del(%tag)", record).contains("removed"));
    let ran = run(".a = 1; %tag = \"new\"; abort \"not today\"", record);
    assert_eq!((ran.outcome, ran.record), (Outcome::Aborted("not today".to_owned()), record.to_vec()));
    assert_eq!(run("abort", record).outcome, Outcome::Aborted("aborted".to_owned()));
}

#[test]
fn impure_functions_are_refused_where_they_are_called() {
    for (source, at, part) in [
        (".x = now()", "now", "%received_at"),
        (".id = uuid_v4()", "uuid_v4", "sha2"),
        ("x = [{\"a\": uuid_v7()}]", "uuid_v7", "chance"),
        ("if random_bool() { abort }", "random_bool", "sample"),
        (".h = get_hostname!()", "get_hostname", "%server"),
        (".e = get_env_var!(\"HOME\")", "get_env_var", "${NAME}"),
        ("for_each(array!(.x)) -> |_i, v| { log(v) }", "log", "outside"),
        (".d = dns_lookup!(\"a\", qtype: \"A\").rcode", "dns_lookup", "outside"),
        ("!exists(.x) && random_int(1, 2) == 1", "random_int", "chance"),
        (".x = parse_syslog!(.m)", "parse_syslog", "syslog_rfc3164"),
        (".x = decode_gzip!(.m)", "decode_gzip", "memory"),
        ("x, err = http_request(\"http://a\")", "http_request", "outside"),
    ] {
        let (found, message) = mistake(source);
        assert_eq!(found, at, "{source}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn nothing_multiplies_text() {
    for source in [
        ".x = .a * .b ?? 0",
        "n = to_int!(.a); n = string!(.a); .x = n * 2 ?? 0",
        "for_each(array!(.l)) -> |_i, n| { .x = n * 2 ?? 0 }",
        ".x = (\"-\" * int!(.n))",
        "n = .a; m = n; .x, e = m * 3",
    ] {
        let (_, message) = mistake(source);
        assert!(message.contains("both sides are numbers"), "{source}: {message}");
    }
    let record = b"\x82\xa1a\x06\xa1b\x07";
    assert_eq!(json_of("n = int!(.a); m = n + 0; .x = m * int!(.b)", record), r#"{"a":6,"b":7,"x":42}"#);
    assert_eq!(json_of(".x = (to_float(.a) ?? 0.0) * 0.5", record), r#"{"a":6,"b":7,"x":3.0}"#);
}

#[test]
fn nothing_repeats_one_text_of_the_event_for_each_part_of_another() {
    for (source, at) in [
        (".x = replace!(.a, \"x\", .b)", ".b"),
        (".x = replace!(.a, with: \"{{ a }}\", pattern: \"x\")", "with: \"{{ a }}\""),
        (".x = join!(.a, .b)", ".b"),
        (".x = join!(.a, separator: string!(.b) + \",\")", "separator: string!(.b) + \",\""),
    ] {
        let (found, message) = mistake(source);
        assert!(found == at && message.contains("write `"), "{source}: {found}: {message}");
    }
    let record = b"\x81\xa1a\xa3x,y";
    assert_eq!(
        json_of(".x = replace!(.a, \",\", with: s';'); .y = join(split!(.a, \",\"), \"-\")", record),
        r#"{"a":"x,y","x":"x;y","y":"x-y"}"#
    );
}

#[test]
fn indexes_steps_sizes_and_depths_have_limits() {
    let far = |index: usize| format!("x = []; x[{index}] = 1; .l = length(x)");
    assert_eq!(json_of(&far(MAX_INDEX), b"\x80"), format!(r#"{{"l":{}}}"#, MAX_INDEX + 1));
    for source in [far(MAX_INDEX + 1), format!(".a[-{}] = 1", MAX_INDEX + 1)] {
        assert!(mistake(&source).1.contains("at most 1000"));
    }

    let loops = |times: usize| {
        format!(
            "n = 0; for_each(range!(0, 1000)) -> |_i, _v| {{ for_each(range!(0, {times})) -> |_j, _w| {{ n = n + 1 }} }}; .n = n"
        )
    };
    assert_eq!(json_of(&loops(10), b"\x80"), r#"{"n":10000}"#);
    assert!(failure(&loops(2000), b"\x80").contains(&MAX_STEPS.to_string()));

    let mut record = Vec::new();
    write_map(&mut record, 1);
    write_str(&mut record, b"a");
    let head = record.len() + 5;
    write_str(&mut record, &vec![b'x'; MAX_REMAPPED_SIZE - 5]);
    assert_eq!(record.len(), head + MAX_REMAPPED_SIZE - 5);
    assert_eq!(run(".b = .a", &record).outcome, Outcome::Done);
    assert!(failure(".b = .a; .c = 1", &record).contains("64 MiB"));

    // The record itself is the first level.
    let nested = |depth: usize| {
        let mut record = Vec::new();
        write_map(&mut record, 1);
        write_str(&mut record, b"a");
        (0..depth).for_each(|_| write_array(&mut record, 1));
        record.push(1);
        record
    };
    assert_eq!(run(".b = .a", &nested(MAX_DEPTH - 1)).outcome, Outcome::Done);
    assert!(failure(".b = [.a]", &nested(MAX_DEPTH - 1)).contains("128 deep"));
    assert!(failure(". = {\"b\": [.a]}", &nested(MAX_DEPTH - 1)).contains("128 deep"));
}

#[test]
fn vrl_says_what_is_wrong_and_where() {
    for (source, at, part) in [
        (".a = upcase(.b)", "upcase(.b)", "`upcase!(.b)`"),
        (".a = to_int(.b)", "to_int(.b)", "E103"),
        (".a = nothing(.b)", "nothing", "undefined function"),
        (".a = ", "", "E204"),
        ("%sender = \"x\"", "%sender", "E315"),
        ("%receved_at", "%receved_at", "%received_at"),
        ("%tag.x = 1", "%tag.x", "no parts"),
    ] {
        let (found, message) = mistake(source);
        assert!(found.contains(at) && message.contains(part), "{source}: {found}: {message}");
    }
}

#[test]
fn records_of_very_many_fields_come_through() {
    let count = crate::pipeline::record::MAX_FIELDS as u32 + 2;
    let mut record = Vec::new();
    write_map(&mut record, count);
    for number in 0..count {
        write_str(&mut record, format!("k{number}").as_bytes());
        write_u64(&mut record, u64::from(number));
    }
    assert_eq!(run(". = .", &record).record, record);
    let ran = run(".count = length(.); .k7 = \"x\"", &record);
    assert_eq!(ran.record.len(), record.len() + 6 + 5 + 1);
    assert!(run(".new = .k3", &record).json().contains("\"new\":3"));
}
