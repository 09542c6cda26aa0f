//! A small HTTP/1 server: accepts, limits, answers, stops.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::responses::{self, Answer};

/// What one listener answers.
pub(super) trait Routes: Send + Sync + 'static {
    /// The answer to a GET of this path; `None` where there is no such path. Must not wait for anything.
    fn answer(&self, path: &str, query: &str) -> Option<Answer>;
}

/// What peers can make one listener do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at one time; further ones wait in the kernel's backlog, so that a slow peer delays a health check
    /// and never fails it.
    pub(super) max_connections: usize,
    /// From accepting a connection to the end of the request's head.
    pub(super) header_timeout: Duration,
    /// From accepting a connection to the last byte of the answer.
    pub(super) connection_timeout: Duration,
    /// How long a stop waits for answers under way.
    pub(super) stop_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 64,
            header_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(2),
        }
    }
}

/// Bytes of a request's head.
const MAX_HEADER_SIZE: usize = 16 * 1024;

/// How long to leave a listener alone that can't accept, mostly because file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`; `section` names the listener in log lines.
pub(super) async fn serve(
    section: &'static str,
    listener: TcpListener,
    routes: Arc<dyn Routes>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let mut accepting = true;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => report(section, ended),
            accepted = listener.accept(), if connections.len() < limits.max_connections => match accepted {
                Ok((stream, _)) => {
                    accepting = true;
                    connections.spawn(connection(section, stream, routes.clone(), limits, shutdown.clone()));
                }
                Err(error) => {
                    // Said once, not at every try.
                    if std::mem::take(&mut accepting) {
                        tracing::warn!(
                            section,
                            "cannot accept connections: {error}. Trying again until it works; if it does not, raise \
                             the limit on open files"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(section, ended);
        }
    };
    if timeout(limits.stop_timeout, drained).await.is_err() {
        tracing::debug!(section, "gave up on peers that do not read their answer");
    }
}

/// One request and its answer. Without keep-alive an idle peer occupies nothing, and one deadline covers a peer that
/// sends slowly, one that reads slowly, and one that is gone.
async fn connection(
    section: &'static str,
    stream: TcpStream,
    routes: Arc<dyn Routes>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let service = service_fn(|request| {
        let answer = respond(&*routes, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_header_size(MAX_HEADER_SIZE)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    let until_stop = async {
        tokio::select! {
            result = connection.as_mut() => result,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    match timeout(limits.connection_timeout, until_stop).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(section, "a connection failed: {error}"),
        Err(_) => tracing::debug!(section, "closed a connection that took too long"),
    }
}

fn respond(routes: &dyn Routes, request: &Request<Incoming>) -> Answer {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return responses::method_not_allowed();
    }
    let uri = request.uri();
    routes.answer(uri.path(), uri.query().unwrap_or_default()).unwrap_or_else(responses::not_found)
}

fn report(section: &'static str, ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(section, "answering a request failed: {error}. Please report this as a bug");
    }
}

#[cfg(test)]
mod tests;
