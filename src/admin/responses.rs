//! The answers that all admin listeners share.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// A whole answer; none of them is worth streaming.
pub(super) type Answer = Response<Full<Bytes>>;

/// Text of the given content type.
pub(super) fn text(content_type: &'static str, body: String) -> Answer {
    with_status(StatusCode::OK, content_type, body)
}

/// JSON on one line.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    encoded(status, serde_json::to_string(body))
}

/// JSON for a person to read.
pub(super) fn pretty_json(body: &impl Serialize) -> Answer {
    encoded(StatusCode::OK, serde_json::to_string_pretty(body))
}

/// 404 as Fluentd writes it.
pub(super) fn not_found() -> Answer {
    message(StatusCode::NOT_FOUND, "Not found")
}

/// 405: everything here is only read.
pub(super) fn method_not_allowed() -> Answer {
    let mut answer = message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

/// 500, logged.
pub(super) fn internal_error(error: &dyn std::fmt::Display) -> Answer {
    tracing::error!("cannot render an answer for an operator: {error}");
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

fn encoded(status: StatusCode, body: serde_json::Result<String>) -> Answer {
    match body {
        Ok(body) => with_status(status, "application/json", body),
        Err(error) => internal_error(&error),
    }
}

/// `text` needs no escaping.
fn message(status: StatusCode, text: &'static str) -> Answer {
    with_status(status, "application/json", format!(r#"{{"message":"{text}"}}"#))
}

fn with_status(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
