//! `hikyaku health`

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{complain, say};
use crate::config::parse_time;

/// Ask a running server whether it is healthy
///
/// Prints one line and exits with 0 where the answer is 200, else with 1: for scripts and the health checks of
/// containers. `/health` says that the process is alive, `/ready` that it takes and writes logs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku health
  hikyaku health --url http://127.0.0.1:8889/health --timeout 500ms")]
pub(super) struct Arguments {
    /// What to ask; plain HTTP only
    #[arg(long, default_value = "http://127.0.0.1:8889/ready")]
    url: Uri,
    /// How long the whole exchange may take: 500ms, 3s, 1m
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = parse_time)]
    timeout: Duration,
}

/// Bytes of an answer that are read; what matters is its first line.
const MAX_ANSWER: usize = 64 * 1024;

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                complain(format_args!("cannot start: {error}"));
                return ExitCode::FAILURE;
            }
        };
        match runtime.block_on(ask(&self.url, self.timeout)) {
            Ok(answer) => {
                say(format_args!("healthy: {} {answer}", self.url));
                ExitCode::SUCCESS
            }
            Err(error) => {
                say(format_args!("not healthy: {} {error}", self.url));
                ExitCode::FAILURE
            }
        }
    }
}

/// Why a server does not count as healthy.
#[derive(Debug, thiserror::Error)]
enum Unhealthy {
    #[error("is no URL to ask: expected http://ADDRESS:PORT/PATH")]
    Url,
    #[error("can't be reached: {0}")]
    Connect(io::Error),
    #[error("gave no HTTP answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("gave an answer that can't be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("answered {status}: {answer}")]
    Status { status: StatusCode, answer: String },
    #[error("gave no answer within {0:?}")]
    Timeout(Duration),
}

/// The first line of the answer, where it is a good one.
async fn ask(url: &Uri, timeout: Duration) -> Result<String, Unhealthy> {
    tokio::time::timeout(timeout, exchange(url)).await.unwrap_or(Err(Unhealthy::Timeout(timeout)))
}

async fn exchange(url: &Uri) -> Result<String, Unhealthy> {
    let authority = url.authority().ok_or(Unhealthy::Url)?;
    if url.scheme_str() != Some("http") {
        return Err(Unhealthy::Url);
    }
    // The brackets of an IPv6 address belong to the URL.
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host, port)).await.map_err(Unhealthy::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority.as_str())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Unhealthy::Url)?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(Unhealthy::Body)?;
        let answer = String::from_utf8_lossy(&body.to_bytes()).lines().next().unwrap_or_default().to_owned();
        if status == StatusCode::OK { Ok(answer) } else { Err(Unhealthy::Status { status, answer }) }
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may end in the moment in which the answer is complete.
        ended = &mut connection => {
            ended?;
            answer.await
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::ports::reserved_address;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The head of the request that arrives, and the connection to answer on.
    async fn receive(listener: TcpListener) -> (String, TcpStream) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(request).unwrap(), stream)
    }

    async fn ask_one(bytes: &'static [u8]) -> (Result<String, Unhealthy>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ready?x=1", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (request, mut stream) = receive(listener).await;
            stream.write_all(bytes).await.unwrap();
            request
        });
        let result = ask(&url, TIMEOUT).await;
        (result, server.await.unwrap())
    }

    #[tokio::test]
    async fn a_good_answer_is_healthy() {
        let (result, request) = ask_one(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nready\nyes").await;
        assert_eq!(result.unwrap(), "ready");
        assert!(request.starts_with("GET /ready?x=1 HTTP/1.1\r\n"), "{request}");
        let (result, _) = ask_one(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end").await;
        assert_eq!(result.unwrap(), "until the end");
    }

    #[tokio::test]
    async fn any_other_answer_is_not() {
        let (result, _) =
            ask_one(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 7\r\n\r\njournal").await;
        assert_eq!(result.unwrap_err().to_string(), "answered 503 Service Unavailable: journal");
        let (result, _) = ask_one(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(matches!(result, Err(Unhealthy::Status { .. })));
        let (result, _) = ask_one(b"nonsense\r\n\r\n").await;
        assert!(matches!(result, Err(Unhealthy::Http(_))), "{result:?}");
        let (result, _) = ask_one(b"").await;
        assert!(matches!(result, Err(Unhealthy::Http(_))), "{result:?}");
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (_, mut stream) = receive(listener).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        });
        assert!(matches!(ask(&url, TIMEOUT).await, Err(Unhealthy::Body(_))));
        server.await.unwrap();
    }

    #[tokio::test]
    async fn silence_and_absence_are_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let result = ask(&url, Duration::from_millis(10)).await;
        assert!(matches!(result, Err(Unhealthy::Timeout(_))), "{result:?}");
        let absent = format!("http://{}/", reserved_address()).parse().unwrap();
        assert!(matches!(ask(&absent, TIMEOUT).await, Err(Unhealthy::Connect(_))));
        for url in ["https://127.0.0.1/", "/ready"] {
            assert!(matches!(ask(&url.parse().unwrap(), TIMEOUT).await, Err(Unhealthy::Url)));
        }
    }
}
