//! How long the parts of the path of an event take: `cargo bench --bench parts`.
//!
//! Each is measured for one chunk of 1,000 events; filters have a benchmark of their own.
#![allow(clippy::unwrap_used)]

mod events;

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hikyaku::config::Config;
use hikyaku::journal::Journal;
use hikyaku::metrics::Metrics;
use hikyaku::output::file::format::Formatter;
use hikyaku::pipeline::Pipeline;
use hikyaku::pipeline::json::write_value;
use hikyaku::pipeline::tag_pattern::TagPatterns;
use hikyaku::wire::client::{Packed, encode_packed};
use hikyaku::wire::entry::Entries;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::limits::ContentLimits;
use hikyaku::wire::message::Message;

const EVENTS: u32 = 1_000;

const CONFIG: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
[[output]]
id = "archive"
type = "file"
match = "{nginx,openappsec}.**"
require = ["customer_name", "fqdn"]
path = "/logs/{customer_name}/{log_type}/{fqdn}/%Y/%m/%d/%H.log.gz"
inject = { tag = "tag", time = "timestamp" }
[[output]]
id = "invalid"
type = "file"
invalid = true
path = "/invalid/%Y.log"
"#;

/// From the bytes of a connection to a message that may be taken.
fn decoder(criterion: &mut Criterion) {
    let entries = events::entries(EVENTS);
    let packed = Packed {
        tag: b"nginx.access",
        entries: &entries,
        count: EVENTS.into(),
        chunk: Some(b"id"),
        gzip: false,
    };
    let bytes = encode_packed(&packed);
    let limits = ContentLimits {
        max_entry_size: 16 << 20,
        max_depth: 128,
        max_inflated_size: 1 << 30,
        max_inflate_ratio: 1000,
    };
    let mut group = criterion.benchmark_group("decoder");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("frame and check", |bencher| {
        bencher.iter(|| {
            let mut framer = Framer::new(1 << 30);
            for part in bytes.chunks(16 * 1024) {
                framer.buffer().extend_from_slice(part);
                if let Some(message) = framer.next_message().unwrap() {
                    let message = Message::decode(&message).unwrap();
                    assert_eq!(message.contents(&limits).unwrap().entries, EVENTS);
                }
            }
        });
    });
    group.finish();
}

fn json_writer(criterion: &mut Criterion) {
    let entries = events::entries(EVENTS);
    let records: Vec<&[u8]> =
        Entries::new(&entries).filter_map(|entry| Some(entry.unwrap().event()?.record)).collect();
    let mut group = criterion.benchmark_group("JSON");
    group.throughput(Throughput::Elements(EVENTS.into()));
    let mut out = Vec::new();
    group.bench_function("write", |bencher| {
        bencher.iter(|| {
            out.clear();
            for record in &records {
                write_value(&mut out, record);
            }
            black_box(out.len());
        });
    });
    group.finish();
}

/// From a chunk to lines and the files that they belong to.
fn lines(criterion: &mut Criterion) {
    let entries = events::entries(EVENTS);
    let config = Config::parse(CONFIG, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let pipeline = Pipeline::new(&config.filters, &config.outputs, "logserver-1");
    let mut selector = pipeline.selector("archive").unwrap();
    let hikyaku::config::OutputKind::File(file) = &config.outputs[0].kind else { panic!("it writes files") };
    let mut paths = hikyaku::pipeline::template::PathRenderer::new(
        &file.path,
        &file.path_characters,
        file.timezone.clone(),
    );
    let mut formatter = Formatter::new(&file.format, &file.inject);
    let source = events::source();
    let mut group = criterion.benchmark_group("lines");
    group.throughput(Throughput::Elements(EVENTS.into()));
    let (mut line, mut key) = (Vec::new(), Vec::new());
    group.bench_function("select, group by file, format", |bencher| {
        bencher.iter(|| {
            line.clear();
            let tally = selector.for_each(&source, &entries, |event| {
                paths.render_key(event, &mut key);
                formatter.write(event, &mut line);
                Ok::<_, Infallible>(())
            });
            assert_eq!(tally.unwrap().taken, u64::from(EVENTS));
        });
    });
    group.finish();
}

fn gzip(criterion: &mut Criterion) {
    let mut text = Vec::new();
    for entry in Entries::new(&events::entries(EVENTS)) {
        write_value(&mut text, entry.unwrap().event().unwrap().record);
        text.push(b'\n');
    }
    let mut group = criterion.benchmark_group("gzip");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    for level in 1..=6 {
        let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap());
        let mut out = vec![0; compressor.gzip_compress_bound(text.len())];
        group.bench_function(format!("level {level}"), |bencher| {
            bencher.iter(|| compressor.gzip_compress(&text, &mut out).unwrap());
        });
    }
    group.finish();
}

/// Chunk by chunk with a sync for each, so that the disk is most of it.
fn journal(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let config = Config::parse(CONFIG, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let metrics = Metrics::new("logserver-1", 10);
    let journal = Journal::open(folder.path(), &config.journal, metrics.journal.clone()).unwrap();
    let entries = Bytes::from(events::entries(EVENTS));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Bytes(entries.len() as u64)).sample_size(20);
    let mut number = 0;
    group.bench_function("append and sync", |bencher| {
        bencher.iter(|| {
            number += 1;
            let chunk = events::chunk(&entries, EVENTS, number);
            runtime.block_on(async { journal.append(chunk).await.unwrap().await.unwrap() });
        });
    });
    group.finish();
    runtime.block_on(journal.close());
}

fn tags(criterion: &mut Criterion) {
    let patterns = TagPatterns::parse("app.* {nginx,openappsec}.** kube.**.log").unwrap();
    criterion.bench_function("match a tag", |bencher| {
        bencher.iter(|| patterns.matches(black_box("openappsec.engine-1.access")));
    });
}

criterion_group!(parts, decoder, json_writer, lines, gzip, journal, tags);
criterion_main!(parts);
