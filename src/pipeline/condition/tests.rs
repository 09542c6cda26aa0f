use super::*;
use crate::event_time::EventTime;
use crate::pipeline::event::Source;
use crate::pipeline::record::RecordBuffer;

/// `{"level": "ERROR", "status": 503, "code": "404", "ratio": 0.5, "ok": true, "none": nil, "list": [1],
/// "request": {"method": "GET"}, "tag": "field"}`
const RECORD: &[u8] =
    b"\x89\xa5level\xa5ERROR\xa6status\xcd\x01\xf7\xa4code\xa3404\xa5ratio\xcb\x3f\xe0\0\0\0\0\0\0\
    \xa2ok\xc3\xa4none\xc0\xa4list\x91\x01\xa7request\x81\xa6method\xa3GET\xa3tag\xa5field";

fn holds(condition: &str) -> bool {
    let condition = Condition::parse(condition).unwrap_or_else(|error| panic!("{condition}: {error:?}"));
    let source = Source::of_engine(b"nginx.access", EventTime::new(1_771_322_400, 0).unwrap());
    let mut buffer = RecordBuffer::default();
    let editor = buffer.open(RECORD);
    let time = EventTime::new(1, 0).unwrap();
    let event =
        Event { source: &source, server: "here", time, metadata: None, record: editor.fields(), index: 0 };
    condition.holds(&event)
}

#[test]
fn conditions_that_hold() {
    for condition in [
        "level in ['ERROR','FATAL'] and status >= 500",
        "level = \"ERROR\"",
        "'ERROR' = level",
        "status = 503 and status != 504 and status < 504 and status <= 503 and status > 502 and status >= 503",
        "code = 404 and code < 500 and code = '404'",
        "ratio = 0.5 and ratio > 0 and ratio < 1 and ratio >= -0.5",
        "ok = true and ok != false",
        "none = null and exists(none) and none is null",
        "level != null and level is not null",
        "request.method = 'GET' and exists(request.method) and not exists(request.path)",
        "tag = 'nginx.access' and tag[0] = 'nginx' and tag[-1] = 'access' and \\tag = 'field'",
        "@sender starts_with 'CN=' and @server = 'here' and @input in ['edge']",
        "@time < '1970-01-01T00:00:02Z' and @received_at >= '2026-02-17T19:00:00+09:00' and @time < @received_at",
        "level contains 'RR' and level starts_with 'ER' and level ends_with 'OR' and level starts_with ''",
        r"level matches /^err/i and status matches /^5\d\d$/ and tag matches /\.access$/",
        r"@sender matches /CN=\/?engine/",
        "level is string and status is number and status is integer and ratio is number and ratio is not integer",
        "ok is boolean and list is array and request is map",
        "level = 'x' or level = 'ERROR' and status = 503",
        "not level = 'x' and not not level = 'ERROR' and (level = 'x' or (ok = true))",
        "status not in [200, 204, '304'] and level < 'FATAL'",
        "status in [503.0]",
    ] {
        assert!(holds(condition), "{condition}");
    }
}

#[test]
fn what_is_missing_fails_every_test() {
    for test in [
        "x = 1",
        "x != 1",
        "x < 1",
        "x in [1]",
        "x not in [1]",
        "x contains 'a'",
        "x matches /a/",
        "x is null",
        "x is not null",
        "x = null",
        "x != null",
        "request.x = 'a'",
        "level.x = 'a'",
        "@subject != ''",
        "tag[7] != ''",
        "exists(x)",
    ] {
        assert!(!holds(test), "{test}");
        assert!(holds(&format!("not ({test})")), "{test}");
    }
}

#[test]
fn values_of_different_types_are_not_equal_and_have_no_order() {
    for test in
        ["level = 5", "level < 5", "level > 5", "ok = 1", "ok = 'true'", "list = 1", "none = ''", "list > 0"]
    {
        assert!(!holds(test), "{test}");
    }
    assert!(holds("level != 5 and list != 1 and ok != 'true' and level not in [5, null, true]"));
}

#[test]
fn mistakes_are_found_where_they_stand() {
    for (condition, at, part) in [
        ("", 0..0, "expected a field"),
        ("level", 0..5, "expected a comparison"),
        ("level 'x'", 6..9, "expected a comparison"),
        ("level == 'x'", 6..8, "written `=`"),
        ("a = 1 && b = 2", 6..8, "written `and`"),
        ("!a = 1", 0..1, "written `not`"),
        ("a = 1 AND b = 2", 6..9, "expected `and`"),
        ("NOT a = 1", 0..3, "write `not`"),
        ("a = 1 b = 2", 6..7, "expected `and`"),
        ("(a = 1", 0..1, "never closed"),
        ("a = 1)", 5..6, "expected `and`"),
        ("a in []", 6..7, "expected a field or a value"),
        ("a in [b]", 6..7, "literals"),
        ("a in [1", 5..6, "never closed"),
        ("a in 1", 5..6, "expected `[`"),
        ("a = 'x", 4..6, "never closed"),
        ("a = 'x\\y'", 6..8, "backslash"),
        ("a = 5x", 4..6, "no number"),
        ("a matches 'x'", 10..11, "regular expression"),
        ("a matches /x", 10..12, "without a second"),
        ("a matches /x(/", 10..14, "unclosed group"),
        ("a matches /x/g", 13..14, "`i`"),
        ("a = /x/", 4..5, "behind `matches`"),
        ("5 matches /x/", 0..1, "takes text"),
        ("@time contains 'x'", 0..5, "takes text"),
        ("a contains 5", 11..12, "takes text"),
        ("1 = 1", 0..5, "two constants"),
        ("1 in [1]", 0..7, "two constants"),
        ("a < true", 0..8, "no order"),
        ("null >= a", 0..9, "no order"),
        ("@time > 5", 0..9, "a time such as"),
        ("@time > 'yesterday'", 0..19, "a time such as"),
        ("@time = a", 0..9, "a time such as"),
        ("a = @time", 0..9, "a time such as"),
        ("tag = null", 0..10, "text"),
        ("@nobody = 'x'", 0..7, "@sender"),
        ("tag[x] = 'x'", 0..6, "tag[0]"),
        ("a..b = 1", 2..2, "empty key"),
        ("a is text", 5..9, "expected a type"),
        ("exists a", 7..8, "exists(field)"),
        ("exists(tag)", 7..10, "field of the record"),
        ("exists('x')", 7..10, "field of the record"),
        ("number(a) = 1", 0..6, "no `number"),
        ("and = 1", 0..3, "`\\and`"),
        ("a = $b", 4..5, "means nothing"),
    ] {
        let error = Condition::parse(condition).unwrap_err();
        assert_eq!(error.at, at, "{condition:?}: {error}");
        assert!(error.message.contains(part), "{condition:?}: {error}");
    }
}

#[test]
fn depth_and_length_have_limits() {
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::parse(&nested(MAX_NESTING)).is_ok());
    assert!(Condition::parse(&nested(MAX_NESTING + 1)).unwrap_err().message.contains("deep"));
    let negated = format!("{}a = 1", "not ".repeat(MAX_NESTING + 1));
    assert!(Condition::parse(&negated).unwrap_err().message.contains("deep"));
    let long = |length: usize| format!("a = '{}'", "x".repeat(length - 6));
    assert!(Condition::parse(&long(MAX_CONDITION)).is_ok());
    assert!(Condition::parse(&long(MAX_CONDITION + 1)).is_err());
}

#[test]
fn a_condition_shows_as_it_was_written() {
    assert_eq!(Condition::parse("a  = 1").unwrap().to_string(), "a  = 1");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[a-z@.()\\[\\]'\"/\\\\=<>! 0-9,飛-]{0,40}") {
        if let Err(error) = Condition::parse(&text) {
            proptest::prop_assert!(text.get(error.at.start.min(text.len())..error.at.end.min(text.len())).is_some());
        }
    }
}
