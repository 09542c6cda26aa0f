//! Messages that are too large for memory, by a whole server.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use hikyaku::wire::client::{AckReader, Packed, encode_packed};
use hikyaku::wire::msgpack::{write_array, write_map, write_str, write_u64};

use crate::support::{ALL_ENDPOINTS, PATIENCE, Scene, Server, lines_below};

/// MiB of the message. `HIKYAKU_LARGE_MIB=256 cargo nextest run --release large` is what a file chunk of Fluentd has.
const LARGE_MIB: usize = 64;

/// How much memory a server may take for it, over what it takes at rest.
const MORE_MEMORY: u64 = 64 << 20;

const ENTRY_LENGTH: usize = 4096;

fn message_length() -> usize {
    std::env::var("HIKYAKU_LARGE_MIB")
        .map_or(LARGE_MIB, |mib| mib.parse().expect("HIKYAKU_LARGE_MIB is a number"))
        << 20
}

/// Entries that tell their number, and how many.
pub(crate) fn entries(length: usize) -> (Vec<u8>, u64) {
    let count = (length / ENTRY_LENGTH) as u64;
    let mut entries = Vec::with_capacity(length);
    for number in 0..count {
        let end = entries.len() + ENTRY_LENGTH;
        write_array(&mut entries, 2);
        write_u64(&mut entries, 1_760_000_000);
        write_map(&mut entries, 2);
        write_str(&mut entries, b"number");
        write_u64(&mut entries, number);
        write_str(&mut entries, b"log");
        // What is left for it, without its head of three bytes.
        let text: Vec<u8> = (0..end - entries.len() - 3)
            .map(|at| b'a' + ((at as u64 * 7 + number * 31) % 26) as u8)
            .collect();
        write_str(&mut entries, &text);
    }
    (entries, count)
}

/// A server with one input and one archive, that spools what is above a MiB.
pub(crate) fn scene() -> Scene {
    let scene = Scene::new();
    let root = scene.directory.path().display();
    let config = format!(
        r#"
[server]
data_dir = "{root}/data"
[log]
format = "json"
[journal]
max_size = "1GiB"
segment_size = "4MiB"
memory = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
spool_above = "1MiB"
[[output]]
id = "archive"
type = "file"
fallback = true
path = "{root}/archive/all.log"
flush_interval = "100ms"
checkpoint_interval = "400ms"
buffer_memory = "4MiB"
{ALL_ENDPOINTS}
"#
    );
    fs::write(scene.path("hikyaku.toml"), config).unwrap();
    scene
}

pub(crate) fn start(scene: &Scene) -> Server {
    scene.start_with(4)
}

pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port("edge"))).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn ack(mut stream: &TcpStream) -> Vec<u8> {
    let mut acks = AckReader::default();
    let mut buffer = [0; 512];
    loop {
        if let Some(id) = acks.next_ack().unwrap() {
            return id.to_vec();
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "closed without an acknowledgement");
        acks.buffer().extend_from_slice(&buffer[..count]);
    }
}

/// A line of the kernel's account of a process, in bytes.
fn memory(server: &Server, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let kibibytes = status.lines().find_map(|text| text.strip_prefix(line)?.strip_suffix(" kB"));
    kibibytes.unwrap().trim().parse::<u64>().unwrap() << 10
}

fn spool_files(scene: &Scene) -> usize {
    fs::read_dir(scene.path("data/spool")).unwrap().count()
}

fn assert_archived_once(scene: &Scene, count: u64) {
    let mut numbers: Vec<u64> =
        lines_below(&scene.path("archive")).iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..count), "{} events instead of {count}", numbers.len());
}

#[test]
fn a_large_message_takes_little_memory_is_archived_once_and_recognised_when_it_is_sent_again() {
    let scene = scene();
    let server = start(&scene);
    let (entries, count) = entries(message_length());
    let packed = Packed { tag: b"t", entries: &entries, count, chunk: Some(b"large"), gzip: false };
    let message = encode_packed(&packed);
    // Whatever a first message makes once and for all.
    let small = Packed { entries: b"\x92\x01\xc0", count: 1, chunk: Some(b"small"), ..packed };
    let mut stream = connect(&server);
    stream.write_all(&encode_packed(&small)).unwrap();
    assert_eq!(ack(&stream), b"small");

    let at_rest = memory(&server, "VmRSS:");
    let started = std::time::Instant::now();
    stream.write_all(&message).unwrap();
    assert_eq!(ack(&stream), b"large");
    let acknowledged = started.elapsed();
    server.until_metric("fluentd_output_status_num_records_total", count as f64);
    let more = memory(&server, "VmHWM:").saturating_sub(at_rest);
    println!(
        "{} MiB acknowledged after {acknowledged:?}, delivered after {:?}, with {} KiB more memory",
        message.len() >> 20,
        started.elapsed(),
        more >> 10
    );
    assert!(more < MORE_MEMORY, "{more} bytes more than at rest");

    // As if the acknowledgement had been lost.
    let mut again = connect(&server);
    again.write_all(&message).unwrap();
    assert_eq!(ack(&again), b"large");
    assert_eq!(server.metric("hikyaku_journal_duplicate_chunks_total"), 1.0);
    assert_eq!(spool_files(&scene), 0);
    drop((stream, again));
    assert!(server.stop().success());
    assert_archived_once(&scene, count);
}

#[test]
fn killed_in_the_middle_of_a_large_message_nothing_of_it_stays_and_all_of_it_arrives_when_it_is_sent_again() {
    let scene = scene();
    let mut server = start(&scene);
    let (entries, count) = entries(8 << 20);
    let message =
        encode_packed(&Packed { tag: b"t", entries: &entries, count, chunk: Some(b"id"), gzip: false });
    let mut stream = connect(&server);
    stream.write_all(&message[..message.len() / 2]).unwrap();
    server.until_metric("hikyaku_input_spool_bytes", 3e6);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert_eq!(spool_files(&scene), 1);

    let server = start(&scene);
    assert_eq!(spool_files(&scene), 0);
    let mut stream = connect(&server);
    stream.write_all(&message).unwrap();
    assert_eq!(ack(&stream), b"id");
    server.until_metric("fluentd_output_status_num_records_total", 1.0);
    drop(stream);
    assert!(server.stop().success());
    assert_archived_once(&scene, count);
}

#[test]
fn killed_in_the_middle_of_delivering_a_large_message_each_event_is_archived_once() {
    let scene = scene();
    let mut server = start(&scene);
    let (entries, count) = entries(24 << 20);
    let message =
        encode_packed(&Packed { tag: b"t", entries: &entries, count, chunk: Some(b"id"), gzip: false });
    let mut stream = connect(&server);
    stream.write_all(&message).unwrap();
    assert_eq!(ack(&stream), b"id");
    let archive = scene.path("archive/all.log");
    server.until("something is archived", |_| fs::metadata(&archive).is_ok_and(|file| file.len() > 0));
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = start(&scene);
    assert!(server.stop().success());
    assert_archived_once(&scene, count);
}
