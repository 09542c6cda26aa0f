//! Connections that wait for the next message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::connection::Connection;
use super::pool::ServerId;

/// Open connections on which nothing is under way, by server.
#[derive(Debug)]
pub(super) struct Idle {
    by_server: Mutex<HashMap<ServerId, Vec<Connection>>>,
    keepalive_timeout: Duration,
    /// Kept by server; more are closed.
    limit: usize,
}

impl Idle {
    pub(super) fn new(keepalive_timeout: Duration, limit: usize) -> Self {
        Self { by_server: Mutex::default(), keepalive_timeout, limit }
    }

    /// A connection that can be used at once.
    pub(super) async fn take(&self, server: ServerId) -> Option<Connection> {
        loop {
            let mut connection = self.lock().get_mut(&server)?.pop()?;
            if connection.age() < self.keepalive_timeout && connection.is_quiet().await {
                return Some(connection);
            }
            close_soon(connection);
        }
    }

    /// Keeps a connection for the next message, or closes it where it is old or one too many.
    pub(super) fn put(&self, server: ServerId, connection: Connection) {
        let mut by_server = self.lock();
        for connections in by_server.values_mut() {
            for old in connections.extract_if(.., |idle| idle.age() >= self.keepalive_timeout) {
                close_soon(old);
            }
        }
        let connections = by_server.entry(server).or_default();
        if connection.age() < self.keepalive_timeout && connections.len() < self.limit {
            connections.push(connection);
        } else {
            close_soon(connection);
        }
    }

    /// Closes all of them, and waits for that.
    pub(super) async fn close(&self) {
        let all = std::mem::take(&mut *self.lock());
        let mut closing = tokio::task::JoinSet::new();
        for connection in all.into_values().flatten() {
            closing.spawn(connection.close());
        }
        closing.join_all().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ServerId, Vec<Connection>>> {
        self.by_server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody waits for it: it takes no more than a moment, and then the connection is gone either way.
fn close_soon(connection: Connection) {
    tokio::spawn(connection.close());
}
