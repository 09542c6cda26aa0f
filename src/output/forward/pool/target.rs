//! A server that was picked.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::servers::{Server, ServerId};
use crate::config::ForwardServerConfig;
use crate::output::forward::resolve::Addresses;

/// A server to send to. Has the fields of its configuration: `name`, `address`, `server_name`, `shared_key`, `user`.
#[derive(Debug, Clone)]
pub struct Target {
    pub id: ServerId,
    config: Arc<ForwardServerConfig>,
    addresses: Arc<Addresses>,
}

impl Target {
    pub(super) fn of(server: &Server<Arc<Addresses>>) -> Self {
        Self { id: server.id, config: Arc::clone(&server.config), addresses: Arc::clone(&server.extra) }
    }

    /// Opens a TCP connection to the first of its addresses that takes it; each may take as long as `patience`.
    ///
    /// # Errors
    /// What the last address said, or that its name can't be looked up.
    pub async fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        self.addresses.connect(patience).await
    }
}

impl Deref for Target {
    type Target = ForwardServerConfig;

    fn deref(&self) -> &ForwardServerConfig {
        &self.config
    }
}
