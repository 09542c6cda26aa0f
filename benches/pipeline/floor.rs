//! What this machine takes at least for the same bytes: nothing that receives over TLS, seals on disk, and compresses can
//! be below the sum of what it can't leave out.

use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use hikyaku::pipeline::json::write_value;
use hikyaku::tls::client::{ClientIdentity, client_config};
use hikyaku::tls::server::server_config;
use hikyaku::wire::entry::{Entries, Item};
use serde_json::{Value, json};

use crate::Arguments;
use crate::load::Load;
use crate::scene::Scene;
use crate::upstream::{KEPT, Upstream};

/// Events in a chunk.
const CHUNK: u64 = 1_000;

/// Bytes that are synced at once.
const COMMIT: usize = 8 << 20;

/// Processor seconds a million events.
pub(crate) fn measure(arguments: &Arguments) -> Value {
    let chunks = chunks(arguments);
    let events = chunks.len() as f64 * CHUNK as f64;
    let entries = chunks.concat();
    let each = |seconds: f64| seconds / events * 1e6;
    let (write, megabytes_a_second) = write_and_sync(arguments, &entries);
    let lines = lines_by_customer(&chunks);
    let text: usize = lines.iter().map(Vec::len).sum();
    let mut result = json!({
        "bytes_of_msgpack_an_event": entries.len() as f64 / events,
        "bytes_of_JSON_an_event": text as f64 / events,
        "tls_decryption": each(tls(arguments, &chunks)),
        "memory_copy": each(processor(|| {
            std::hint::black_box(entries.to_vec());
        })),
        "checksum": each(processor(|| {
            std::hint::black_box(crc32fast::hash(&entries));
        })),
        "write_and_sync": each(write),
        "write_and_sync_MB_a_second": megabytes_a_second,
    });
    let zlib = lines.iter().map(|lines| zlib_length(lines)).sum::<usize>() as f64;
    for level in 1..=6 {
        let mut length = 0;
        let seconds = processor(|| length = lines.iter().map(|lines| gzip_length(lines, level)).sum());
        result[format!("gzip_level_{level}")] = json!(each(seconds));
        result[format!("gzip_level_{level}_size_to_zlib_6")] = json!(length as f64 / zlib);
    }
    result
}

/// The entries of real messages, as `hikyaku send` makes them.
fn chunks(arguments: &Arguments) -> Vec<Vec<u8>> {
    let upstream = Upstream::start_keeping();
    let status = Load { events: KEPT as u64 * CHUNK, chunk: CHUNK, rate: None, ..Load::new(arguments) }
        .command(arguments)
        .args(["--plain", "--server"])
        .arg(upstream.address.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    upstream.entries.iter().take(KEPT).map(|entries| entries.to_vec()).collect()
}

/// Processor seconds of this thread.
fn processor(work: impl FnOnce()) -> f64 {
    let so_far = || {
        // Else it is what it was at the last tick of the clock.
        std::thread::yield_now();
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    let before = so_far();
    work();
    so_far() - before
}

/// Decrypting all of it, in the server's side of a connection without a network.
fn tls(arguments: &Arguments, chunks: &[Vec<u8>]) -> f64 {
    let scene = Scene::new(arguments);
    let path = |name: &str| scene.path("certs").join(name);
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    let client = client_config(&ca, Some(ClientIdentity { cert: &cert, key: &key })).unwrap();
    let config = hikyaku::config::TlsConfig {
        client_ca: vec![ca],
        ..hikyaku::config::TlsConfig::new(path("server.crt"), path("server.key"))
    };
    let mut client = rustls::ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::clone(&server_config(&config).unwrap())).unwrap();
    client.set_buffer_limit(None);
    while client.is_handshaking() || server.is_handshaking() {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        server.read_tls(&mut &there[..]).unwrap();
        server.process_new_packets().unwrap();
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        client.read_tls(&mut &back[..]).unwrap();
        client.process_new_packets().unwrap();
    }
    let mut encrypted = Vec::new();
    for chunk in chunks {
        client.writer().write_all(chunk).unwrap();
        while client.wants_write() {
            client.write_tls(&mut encrypted).unwrap();
        }
    }
    let mut plain = vec![0; 64 * 1024];
    processor(|| {
        let mut rest = &encrypted[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets().unwrap();
            while server.reader().read(&mut plain).is_ok_and(|count| count > 0) {}
        }
    })
}

fn write_and_sync(arguments: &Arguments, bytes: &[u8]) -> (f64, f64) {
    let mut file = tempfile::tempfile_in(&arguments.folder).unwrap();
    let started = Instant::now();
    let seconds = processor(|| {
        for part in bytes.chunks(COMMIT) {
            file.write_all(part).unwrap();
            file.sync_data().unwrap();
            let_go(&file);
        }
    });
    (seconds, bytes.len() as f64 / 1e6 / started.elapsed().as_secs_f64())
}

/// The memory goes to the next bytes, as the journal has it.
fn let_go(file: &std::fs::File) {
    rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

/// JSON lines, as an archive by customer holds them.
fn lines_by_customer(chunks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut files = std::collections::BTreeMap::<Vec<u8>, Vec<u8>>::new();
    let mut line = Vec::new();
    for entry in chunks.iter().flat_map(|chunk| Entries::new(chunk)) {
        let Item::Event(event) = entry.unwrap() else { panic!("made-up events are events") };
        line.clear();
        write_value(&mut line, event.record);
        line.push(b'\n');
        let record: Value = serde_json::from_slice(&line).unwrap();
        let customer = record["customer_name"].as_str().unwrap().as_bytes().to_vec();
        files.entry(customer).or_default().extend_from_slice(&line);
    }
    files.into_values().collect()
}

fn gzip_length(lines: &[u8], level: i32) -> usize {
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap());
    let mut out = vec![0; compressor.gzip_compress_bound(lines.len())];
    compressor.gzip_compress(lines, &mut out).unwrap()
}

/// What gzip(1) makes of it: the same as zlib, and so as Ruby's `Zlib::GzipWriter` and Fluentd.
fn zlib_length(lines: &[u8]) -> usize {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(lines).unwrap();
    file.rewind().unwrap();
    Command::new("gzip").arg("-6").stdin(file).output().unwrap().stdout.len()
}
