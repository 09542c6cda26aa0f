//! How many events a second one core filters, routes and formats: `cargo bench --bench pipeline`.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use hikyaku::config::{
    FileFormat, FileOutputConfig, FilterConfig, FilterKind, InjectConfig, OutputConfig, OutputKind,
    OutputTake, StartAt,
};
use hikyaku::event_time::EventTime;
use hikyaku::output::file::format::Formatter;
use hikyaku::pipeline::field_path::FieldPath;
use hikyaku::pipeline::tag_pattern::TagPatterns;
use hikyaku::pipeline::template::{PathRenderer, PathTemplate, ValueTemplate};
use hikyaku::pipeline::time_format::TimeFormat;
use hikyaku::pipeline::{Pipeline, Source};
use hikyaku::wire::msgpack::{write_array, write_map, write_str, write_u64};
use hikyaku::wire::time::write_time;

const ENTRIES: u32 = 10_000;
const ROUNDS: u32 = 100;

fn main() {
    let entries = entries();
    let bytes_each = entries.len() / ENTRIES as usize;
    let filters = filters();
    measure("format only", bytes_each, &entries, &[], &InjectConfig::default());
    measure("filters, path and format", bytes_each, &entries, &filters, &inject());
}

fn measure(name: &str, bytes_each: usize, entries: &[u8], filters: &[FilterConfig], inject: &InjectConfig) {
    let output = output(inject);
    let mut selector =
        Pipeline::new(filters, std::slice::from_ref(&output), "logserver-1").selector("archive").unwrap();
    let OutputKind::File(file) = &output.kind else { unreachable!("the output above writes files") };
    let mut paths = PathRenderer::new(&file.path, &BTreeMap::new(), file.timezone.clone());
    let mut formatter = Formatter::new(&file.format, inject);
    let source = Source {
        tag: b"nginx.access",
        position: hikyaku::journal::Position::new(1, 64),
        received_at: EventTime::new(1_771_322_400, 123_000_000).unwrap(),
        input: "edge",
        sender: "CN=engine-1",
        source_address: Some("192.0.2.7"),
        subject: Some("CN=engine-1"),
        fingerprint: None,
        alternative_names: &[],
        host_name: None,
        user: None,
    };
    let (mut line, mut key) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let mut written = 0;
    for _ in 0..ROUNDS {
        let result = selector.for_each(&source, entries, |event| {
            line.clear();
            paths.render_key(event, &mut key);
            formatter.write(event, &mut line);
            written += line.len() + key.len();
            Ok::<_, Infallible>(())
        });
        assert_eq!(result.unwrap().taken, u64::from(ENTRIES));
    }
    let events = ENTRIES * ROUNDS;
    let each = start.elapsed() / events;
    println!("{name}: {each:?} an event of {bytes_each} bytes, {} bytes of JSON", written as u32 / events);
}

fn entries() -> Vec<u8> {
    let fields: [(&str, &str); 24] = [
        ("log_type", "nginx"),
        ("hostname", "engine-1.example.com"),
        ("customer_name", "customer-17"),
        ("fqdn", "shop.customer-17.example.com"),
        ("year", "2026"),
        ("month", "02"),
        ("day", "17"),
        ("hour", "10"),
        ("minute", "00"),
        ("second", "00"),
        ("time", "2026-02-17T10:00:00+09:00"),
        ("remote_addr", "198.51.100.23"),
        ("remote_user", ""),
        ("request", "GET /products/search?q=%E9%A3%9B%E8%84%9A&page=3 HTTP/1.1"),
        ("request_method", "GET"),
        ("uri", "/products/search"),
        ("status", "200"),
        ("body_bytes_sent", "48213"),
        ("http_referer", "https://shop.customer-17.example.com/products?sort=\"new\""),
        (
            "http_user_agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0",
        ),
        ("http_x_forwarded_for", "198.51.100.23, 203.0.113.9"),
        ("request_time", "0.032"),
        ("upstream_addr", "10.0.3.14:8080"),
        ("message", "検索結果を返しました"),
    ];
    let mut out = Vec::new();
    for number in 0..ENTRIES {
        write_array(&mut out, 2);
        write_time(&mut out, EventTime::new(1_771_322_400 + i64::from(number / 100), number * 1000).unwrap());
        write_map(&mut out, fields.len() as u32 + 1);
        for (name, value) in fields {
            write_str(&mut out, name.as_bytes());
            write_str(&mut out, value.as_bytes());
        }
        write_str(&mut out, b"number");
        write_u64(&mut out, u64::from(number));
    }
    out
}

fn filters() -> Vec<FilterConfig> {
    let fields = |fields: &[(&str, &str)]| {
        let field = |(name, value): &(&str, &str)| {
            (FieldPath::parse(name).unwrap(), ValueTemplate::parse(value).unwrap())
        };
        fields.iter().map(field).collect()
    };
    let tags = |text| TagPatterns::parse(text).unwrap();
    vec![
        FilterConfig {
            line: 1,
            pipeline: None,
            condition: None,
            tags: tags("{nginx,openappsec}.**"),
            kind: FilterKind::Set {
                fields: fields(&[("received_at", "{@received_at}"), ("logserver_hostname", "{@server}")]),
            },
        },
        FilterConfig {
            line: 1,
            pipeline: None,
            condition: None,
            tags: tags("**"),
            kind: FilterKind::Default {
                fields: fields(&[("customer_name", "unknown"), ("fqdn", "unknown")]),
            },
        },
    ]
}

fn inject() -> InjectConfig {
    let format = TimeFormat::parse("%Y-%m-%dT%H:%M:%S.%LZ", jiff::tz::TimeZone::UTC).unwrap();
    InjectConfig { tag: Some("tag".to_owned()), time: Some(("timestamp".to_owned(), format)) }
}

fn output(inject: &InjectConfig) -> OutputConfig {
    let require = ["customer_name", "fqdn"].iter().map(|path| FieldPath::parse(path).unwrap()).collect();
    OutputConfig {
        pipeline: None,
        id: "archive".to_owned(),
        take: OutputTake::Match {
            tags: TagPatterns::parse("{nginx,openappsec}.**").unwrap(),
            condition: None,
            require,
        },
        start: StartAt::Newest,
        retry_min_interval: Duration::from_secs(1),
        retry_max_interval: Duration::from_secs(30),
        backlog: hikyaku::config::BacklogConfig::default(),
        kind: OutputKind::File(Box::new(FileOutputConfig {
            path: PathTemplate::parse("/logs/{customer_name}/{log_type}/{fqdn}/%Y/%m/%d/%H.log.gz").unwrap(),
            path_characters: BTreeMap::new(),
            format: FileFormat::Json,
            inject: inject.clone(),
            timezone: jiff::tz::TimeZone::UTC,
            flush_interval: Duration::from_secs(10),
            checkpoint_interval: Duration::from_secs(30),
            buffer_memory: 64 << 20,
            max_open_files: 256,
            compression_level: 6,
            undone_max_size: 256 << 20,
        })),
    }
}
