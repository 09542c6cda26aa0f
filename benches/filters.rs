//! How long each filter takes for one event: `cargo bench --bench filters`.
//!
//! Each filter runs alone over events like those of the other benchmarks; what the walk takes without any filter is printed
//! first and is part of every number.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod events;

use std::convert::Infallible;
use std::time::Instant;

use hikyaku::config::Config;
use hikyaku::pipeline::Pipeline;

const ENTRIES: u32 = 10_000;
const ROUNDS: u32 = 30;

const LINE: &str = r#"198.51.100.23 - - [17/Feb/2026:10:00:00 +0900] "GET /products/search?q=%E9%A3%9B HTTP/1.1" 200 48213 "https://shop.example.com/" "Mozilla/5.0 (X11; Linux x86_64)""#;

/// What `parse` reads; each only in the events of its own measurement.
const TEXTS: [(&str, &str); 6] = [
    ("json", r#"{"a":1,"b":"text","c":[1,2,3],"d":{"e":true},"f":null,"g":1.5}"#),
    ("ltsv", "a:1\tb:text\tc:more text\td:x"),
    ("csv", "1,text,\"quoted, text\",4,5,6"),
    ("key_value", "a=1 b=text c=\"quoted text\" d=x"),
    ("line", LINE),
    ("syslog", r#"<165>1 2026-02-17T10:00:00.003Z host app 123 ID47 [a@1 k="v"] text of the message"#),
];

const FILTERS: &[(&str, &str)] = &[
    ("none", "type = 'remove'\nfields = ['missing']"),
    (
        "set",
        "type = 'set'\nfields = { received_at = '{@received_at}', where = '{log_type}-{customer_name}' }",
    ),
    ("default", "type = 'default'\nfields = { severity = 'info', customer_name = 'unknown' }"),
    ("remove", "type = 'remove'\nfields = ['year', 'month', 'day']"),
    ("keep", "type = 'keep'\nfields = ['time', 'status', 'request', 'fqdn']"),
    ("rename", "type = 'rename'\nfields = { time = 'at', request_method = 'method' }"),
    ("where", "type = 'drop'\nwhere = \"level in ['ERROR', 'FATAL'] or status >= 500\""),
    ("where matches", "type = 'drop'\nwhere = 'http_user_agent matches /bot|spider/i'"),
    ("sanitize all", "type = 'sanitize'"),
    ("sanitize fields", "type = 'sanitize'\nfields = ['customer_name', 'fqdn']\ncharacters = 'a-zA-Z0-9._-'"),
    ("level", "type = 'level'\nfield = 'severity'\nto = 'level'"),
    ("time rfc3339", "type = 'time'\nfield = 'time'"),
    ("time strptime", "type = 'time'\nfield = 'time'\nformats = '%Y-%m-%dT%H:%M:%S%z'"),
    ("mask fields", "type = 'mask'\nfields = ['remote_addr', 'http_referer']"),
    ("mask pattern in a field", "type = 'mask'\nfields = ['request']\npatterns = ['q=[^& ]+']"),
    ("mask mail everywhere", "type = 'mask'\ndetect = ['mail']"),
    ("mask all detectors everywhere", "type = 'mask'\ndetect = ['mail', 'card', 'token', 'ipv4', 'ipv6']"),
    ("hash", "type = 'hash'\nfields = ['remote_addr']\nkey_file = 'KEY'"),
    ("encrypt", "type = 'encrypt'\nfields = ['remote_addr']\nkey_file = 'KEY'"),
    ("parse json", "type = 'parse'\nformat = 'json'\nfield = 'json'"),
    ("parse ltsv", "type = 'parse'\nformat = 'ltsv'\nfield = 'ltsv'"),
    ("parse csv", "type = 'parse'\nformat = 'csv'\nfield = 'csv'\ncolumns = ['a', 'b', 'c', 'd', 'e', 'f']"),
    ("parse key_value", "type = 'parse'\nformat = 'key_value'\nfield = 'key_value'"),
    (
        "parse regex",
        "type = 'parse'\nformat = 'regex'\nfield = 'request'\nregex = '^(?<m>[A-Z]+) (?<u>[^ ]+) (?<p>.+)$'",
    ),
    ("parse nginx_access", "type = 'parse'\nformat = 'nginx_access'\nfield = 'line'"),
    ("parse syslog_rfc5424", "type = 'parse'\nformat = 'syslog_rfc5424'\nfield = 'syslog'"),
    ("validate", "type = 'validate'\nrequired = ['time', 'status', 'message']\ntimes = ['time']"),
    ("sample", "type = 'sample'\none_in = 2"),
    ("throttle", "type = 'throttle'\nkey = '{customer_name}'\nlimit = 1000000000"),
    ("retag", "type = 'retag'\ntag = 'app.{log_type}.{status}'"),
    ("multiline", "type = 'multiline'\nstart = '^start'"),
    #[cfg(feature = "remap")]
    (
        "remap, three fields",
        "type = 'remap'\nsource = '''\n.severity = upcase(string!(.severity))\n\
         .took = to_float!(.request_time) * 1000.0\ndel(.year)\n'''",
    ),
    #[cfg(feature = "remap")]
    ("remap, the whole record", "type = 'remap'\nsource = '. = compact(., recursive: true)'"),
];

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    println!(
        "an event of {} bytes and 25 fields, and the text that `parse` reads",
        entries(None).len() / ENTRIES as usize
    );
    for (name, keys) in FILTERS {
        let text = TEXTS.iter().find(|(field, _)| keys.contains(&format!("field = '{field}'")));
        let entries = entries(text.copied());
        let nanoseconds = measure(&keys.replace("KEY", key.to_str().unwrap()), &entries);
        println!("{name:>30}: {nanoseconds:5} ns, {:9} events/s", 1_000_000_000 / nanoseconds);
    }
}

fn measure(keys: &str, entries: &[u8]) -> u128 {
    let config = Config::parse(
        &format!(
            "[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n[[filter]]\n{keys}\n\
             [[output]]\nid = 'all'\ntype = 'file'\nmatch = '**'\npath = 'x'\n\
             [[output]]\nid = 'invalid'\ntype = 'file'\ninvalid = true\npath = 'y'\n"
        ),
        None,
        &|_| None,
    );
    let config = config.unwrap_or_else(|errors| panic!("{errors}"));
    let mut selector =
        Pipeline::new(&config.filters, &config.outputs, "logserver-1").selector("all").unwrap();
    let source = events::source();
    let start = Instant::now();
    let mut fields = 0;
    for _ in 0..ROUNDS {
        let result = selector.for_each(&source, entries, |event| {
            fields += event.record.len();
            Ok::<_, Infallible>(())
        });
        let tally = result.unwrap();
        assert_eq!(tally.taken + tally.left + tally.dropped + tally.joined, u64::from(ENTRIES));
    }
    std::hint::black_box(fields);
    start.elapsed().as_nanos() / u128::from(ENTRIES * ROUNDS)
}

/// The usual events, which say how severe they are in place of where they were sent on to, with the text that is parsed.
fn entries(text: Option<(&str, &str)>) -> Vec<u8> {
    let usual = events::FIELDS.map(|field| match field {
        ("upstream_addr", _) => ("severity", "warning"),
        field => field,
    });
    let fields: Vec<_> = usual.into_iter().chain(text).collect();
    events::entries_of(&fields, ENTRIES)
}
