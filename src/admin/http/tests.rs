use std::net::SocketAddr;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::admin::test_client::get;

/// Longer than any test may take.
const NEVER: Duration = Duration::from_secs(60);

/// More than the kernel buffers for a peer that does not read.
const LARGE: usize = 64 * 1024 * 1024;

struct TestRoutes;

impl Routes for TestRoutes {
    fn answer(&self, path: &str, query: &str) -> Option<Answer> {
        match path {
            "/small" => Some(responses::text("text/plain", query.to_owned())),
            "/large" => Some(responses::text("text/plain", "x".repeat(LARGE))),
            "/panic" => panic!("asked for"),
            _ => None,
        }
    }
}

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

/// Limits that no test reaches by accident.
fn patient() -> Limits {
    Limits { max_connections: 8, header_timeout: NEVER, connection_timeout: NEVER, stop_timeout: NEVER }
}

async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = tokio::spawn(serve("test", listener, Arc::new(TestRoutes), limits, shutdown.clone()));
    Running { address, shutdown, server }
}

/// What the server sends until it closes; a reset counts as closing.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn path_and_query_reach_the_routes() {
    let running = start(patient()).await;
    let reply = get(running.address, "/small?a=1&b").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "a=1&b"));
    assert_eq!(get(running.address, "/small/").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn past_the_limit_a_connection_waits_and_is_answered_in_its_turn() {
    let running = start(Limits { max_connections: 2, ..patient() }).await;
    let silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK, "at the limit");

    let second_silent = TcpStream::connect(running.address).await.unwrap();
    let mut waiting = tokio::spawn(get(running.address, "/small"));
    assert!(timeout(Duration::from_millis(50), &mut waiting).await.is_err(), "past the limit");
    drop(silent);
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
    drop(second_silent);
}

#[tokio::test]
async fn silent_connections_do_not_keep_others_out_for_longer_than_the_header_timeout() {
    let limits = Limits { max_connections: 2, header_timeout: Duration::from_millis(50), ..patient() };
    let running = start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK);
    for mut stream in silent {
        read_to_end(&mut stream).await;
    }
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_by_the_header_timeout() {
    let header_timeout = Duration::from_millis(60);
    let running = start(Limits { header_timeout, ..patient() }).await;
    let started = Instant::now();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let drip = async {
        writing.write_all(b"GET /small HTTP/1.1\r\nx: ").await.unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while writing.write_all(b"x").await.is_ok() {
            tick.tick().await;
        }
    };
    let mut received = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = reading.read_to_end(&mut received) => {}
    }
    assert!(!String::from_utf8_lossy(&received).contains("200 OK"));
    assert!(started.elapsed() >= header_timeout);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off_by_the_connection_timeout() {
    let limits = Limits { max_connections: 1, connection_timeout: Duration::from_millis(200), ..patient() };
    let running = start(limits).await;
    let mut deaf = TcpStream::connect(running.address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK);
    assert!(read_to_end(&mut deaf).await.len() < LARGE);
}

#[tokio::test]
async fn a_head_may_have_sixteen_kibibytes_and_no_more() {
    let running = start(patient()).await;
    for (size, expected) in [(MAX_HEADER_SIZE, "HTTP/1.1 200 OK"), (MAX_HEADER_SIZE + 1, "HTTP/1.1 431 ")] {
        let start = "GET /small HTTP/1.1\r\nx: ";
        let end = "\r\n\r\n";
        let head = format!("{start}{}{end}", "x".repeat(size - start.len() - end.len()));
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with(expected), "{size}: {answer}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_next_is_served() {
    let running = start(patient()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00 this is no HTTP\r\n\r\n").await.unwrap();
    assert!(!read_to_end(&mut stream).await.contains("200 OK"));
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_panic_ends_one_connection_and_not_the_listener() {
    let running = start(patient()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_silent_connections() {
    let running = start(patient()).await;
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(get(running.address, "/small").await.status, StatusCode::OK, "the silent one is in, too");
    running.shutdown.cancel();
    running.server.await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, "");
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_stop_lets_the_answer_under_way_finish() {
    let running = start(patient()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    stream.read_exact(&mut first).await.unwrap();
    running.shutdown.cancel();
    assert!(read_to_end(&mut stream).await.len() > LARGE);
    running.server.await.unwrap();
}

#[tokio::test]
async fn a_stop_gives_up_on_a_peer_that_does_not_read() {
    let running = start(Limits { stop_timeout: Duration::from_millis(50), ..patient() }).await;
    let mut deaf = TcpStream::connect(running.address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut first = [0; 1];
    deaf.read_exact(&mut first).await.unwrap();
    running.shutdown.cancel();
    running.server.await.unwrap();
}
