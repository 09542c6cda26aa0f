//! A fixed piece of work, so that the instructions it takes can be counted and compared with what they were:
//! scripts/count-instructions.sh.
#![allow(clippy::unwrap_used, reason = "it ends where something is wrong")]

#[path = "../benches/events/mod.rs"]
mod events;

use std::convert::Infallible;
use std::hint::black_box;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use hikyaku::config::{Config, OutputKind};
use hikyaku::journal::Journal;
use hikyaku::metrics::Metrics;
use hikyaku::output::file::format::Formatter;
use hikyaku::pipeline::json::write_value;
use hikyaku::pipeline::template::PathRenderer;
use hikyaku::pipeline::{Pipeline, Selector};
use hikyaku::wire::client::{Packed, encode_packed};
use hikyaku::wire::entry::Entries;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::limits::ContentLimits;
use hikyaku::wire::message::Message;

/// Events of `decode`, `json` and `lines`, and of one chunk of `journal`.
const EVENTS: u32 = 1_000;

/// Chunks of `journal`: enough for several segments.
const CHUNKS: u64 = 200;

/// Does one part of the work of a server, the same at each run
#[derive(Debug, Parser)]
struct Arguments {
    part: Part,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// A message from the bytes of a connection, checked
    Decode,
    /// Records as JSON
    Json,
    /// Events of a chunk selected, grouped by file and formatted
    Lines,
    /// Chunks appended to a journal
    Journal,
}

fn main() {
    let entries = events::entries(EVENTS);
    match Arguments::parse().part {
        Part::Decode => decode(&entries),
        Part::Json => json(&entries),
        Part::Lines => lines(&entries),
        Part::Journal => journal(entries.into()),
    }
}

fn decode(entries: &[u8]) {
    let packed =
        Packed { tag: b"nginx.access", entries, count: EVENTS.into(), chunk: Some(b"id"), gzip: false };
    let bytes = encode_packed(&packed);
    assert_eq!(measured_decode(&bytes), EVENTS);
}

/// Only what happens in functions of such a name is counted; of the journal, the steps of its writer.
#[inline(never)]
fn measured_decode(bytes: &[u8]) -> u32 {
    let mut framer = Framer::new(1 << 30);
    let mut count = 0;
    for part in bytes.chunks(16 * 1024) {
        framer.buffer().extend_from_slice(part);
        if let Some(message) = framer.next_message().unwrap() {
            let message = Message::decode(&message).unwrap();
            count += message.contents(&ContentLimits::NONE).unwrap().entries;
        }
    }
    count
}

fn json(entries: &[u8]) {
    let mut out = Vec::new();
    measured_json(entries, &mut out);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), EVENTS as usize);
}

#[inline(never)]
fn measured_json(entries: &[u8], out: &mut Vec<u8>) {
    for entry in Entries::new(entries) {
        write_value(out, entry.unwrap().event().unwrap().record);
        out.push(b'\n');
    }
}

fn lines(entries: &[u8]) {
    let config = "[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n\
                  [[output]]\nid = 'all'\ntype = 'file'\nmatch = '**'\nrequire = ['customer_name', 'fqdn']\n\
                  path = '/logs/{customer_name}/{log_type}/{fqdn}/%Y/%m/%d/%H.log.gz'\n\
                  inject = { tag = 'tag', time = 'timestamp' }\n\
                  [[output]]\nid = 'invalid'\ntype = 'file'\ninvalid = true\npath = 'y'\n";
    let config = Config::parse(config, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let mut selector =
        Pipeline::new(&config.filters, &config.outputs, "logserver-1").selector("all").unwrap();
    let OutputKind::File(file) = &config.outputs[0].kind else { panic!("it writes files") };
    let mut paths = PathRenderer::new(&file.path, &file.path_characters, file.timezone.clone());
    let mut formatter = Formatter::new(&file.format, &file.inject);
    let mut out = Vec::with_capacity(2 * entries.len());
    measured_lines(entries, &mut selector, &mut paths, &mut formatter, &mut out);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), EVENTS as usize);
}

#[inline(never)]
fn measured_lines(
    entries: &[u8],
    selector: &mut Selector,
    paths: &mut PathRenderer,
    formatter: &mut Formatter,
    out: &mut Vec<u8>,
) {
    let mut key = Vec::new();
    let tally = selector.for_each(&events::source(), entries, |event| {
        paths.render_key(event, &mut key);
        black_box(&key);
        formatter.write(event, out);
        Ok::<_, Infallible>(())
    });
    assert_eq!(tally.unwrap().taken, u64::from(EVENTS));
}

fn journal(entries: Bytes) {
    let config = "[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n\
                  [[output]]\nid = 'all'\ntype = 'file'\nmatch = '**'\npath = 'x'\n";
    let config = Config::parse(config, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    let metrics = Metrics::new("logserver-1", 10);
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), &config.journal, metrics.journal.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for number in 0..CHUNKS {
            let chunk = events::chunk(&entries, EVENTS, number);
            black_box(journal.append(chunk).await.unwrap().await.unwrap());
        }
        journal.close().await;
    });
}
