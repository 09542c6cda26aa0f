//! Asks a listener over a real socket.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: String,
    pub(super) allow: String,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(super) async fn get(address: SocketAddr, target: &str) -> Reply {
    ask(address, Method::GET, target).await
}

pub(super) async fn ask(address: SocketAddr, method: Method, target: &str) -> Reply {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", address.to_string())
        .body(Empty::<Bytes>::new())
        .unwrap();
    let (response, ended) = tokio::join!(
        async {
            let response = sender.send_request(request).await.unwrap();
            let (head, body) = response.into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        },
        connection
    );
    ended.unwrap();
    let (head, body) = response;
    let header =
        |name| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    Reply {
        status: head.status,
        content_type: header(CONTENT_TYPE),
        allow: header(ALLOW),
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}
