//! The events that the smaller benchmarks read: access logs of a web application firewall.
#![allow(dead_code, clippy::unwrap_used, reason = "each benchmark uses its own part of this")]

use std::sync::Arc;

use bytes::Bytes;
use hikyaku::chunk::{AckProof, Chunk, Encoding};
use hikyaku::event_time::EventTime;
use hikyaku::pipeline::Source;
use hikyaku::sender::Sender;
use hikyaku::wire::msgpack::{write_array, write_map, write_str, write_u64};
use hikyaku::wire::time::write_time;

/// Names and values of a record; a number comes behind them.
pub(crate) const FIELDS: [(&str, &str); 24] = [
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

/// A run of so many entries.
pub(crate) fn entries(count: u32) -> Vec<u8> {
    entries_of(&FIELDS, count)
}

/// A run of so many entries with these fields and a number.
pub(crate) fn entries_of(fields: &[(&str, &str)], count: u32) -> Vec<u8> {
    let mut out = Vec::new();
    for number in 0..count {
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

/// What the journal takes.
pub(crate) fn chunk(entries: &Bytes, count: u32, number: u64) -> Chunk {
    Chunk {
        sender: Arc::new(Sender::from_address([192, 0, 2, 7].into())),
        input: "edge".into(),
        tag: Bytes::from_static(b"nginx.access"),
        id: Some(Bytes::copy_from_slice(format!("{number:024}").as_bytes())),
        received_at: EventTime::new(1_771_322_400, 0).unwrap(),
        entry_count: count,
        has_bad_entries: false,
        has_metadata: false,
        refusal: None,
        proof: AckProof::default(),
        memory: None,
        handed_over: None,
        encoding: Encoding::Plain,
        entries: entries.clone(),
    }
}

/// What is known of the chunk that events are read from.
pub(crate) fn source() -> Source<'static> {
    Source {
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
    }
}
