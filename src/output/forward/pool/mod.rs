//! Which upstream server gets the next chunk.
//!
//! ```text
//! delivery ──pick, succeeded, failed──▶ Pool ──▶ servers: shares by weight, standby ──▶ health: up or down
//!            watch: heartbeats, SRV ──▶                    balance                        detector
//! ```
//!
//! `servers`, `balance`, `health` and `detector` have neither sockets nor a clock.

mod balance;
mod detector;
mod health;
mod servers;
mod target;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use health::Policy;
pub use servers::ServerId;
use servers::{Change, Servers};
pub use target::Target;

use super::resolve::{Addresses, Lookup};
use crate::config::{ForwardPoolConfig, ForwardServerConfig, HeartbeatKind};
use crate::metrics::OutputServersMetrics;

/// The servers of one output. Clones share what they know.
///
/// Somebody must [`run`](Self::run) it: without, nobody sends heartbeats, and a server that is down stays down.
#[derive(Debug, Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The `id` of the output, for the log.
    output: String,
    config: ForwardPoolConfig,
    lookup: Arc<dyn Lookup>,
    metrics: OutputServersMetrics,
    servers: Mutex<Servers<Arc<Addresses>>>,
    /// Somebody can be picked.
    available: Notify,
    /// Somebody may be usable at another time than was thought.
    rescheduled: Notify,
}

impl Pool {
    /// The servers that the configuration of the output with this `id` names. Does not look anything up yet.
    pub fn new(
        id: &str,
        config: &ForwardPoolConfig,
        lookup: Arc<dyn Lookup>,
        metrics: OutputServersMetrics,
    ) -> Self {
        let has_heartbeats = config.heartbeat != HeartbeatKind::None;
        let policy = Policy {
            heartbeat_interval: has_heartbeats.then_some(config.heartbeat_interval),
            phi_threshold: config.phi_threshold,
            hard_timeout: config.hard_timeout,
            recover_wait: config.recover_wait,
        };
        let now = Instant::now().into_std();
        let shared = Shared {
            output: id.to_owned(),
            config: config.clone(),
            lookup,
            metrics,
            servers: Mutex::new(Servers::new(policy, now)),
            available: Notify::new(),
            rescheduled: Notify::new(),
        };
        for server in &config.servers {
            shared.metrics.added(&server.name);
            let addresses = shared.addresses(server);
            shared.with(|servers| servers.add(server.clone(), addresses, now));
        }
        Self { shared: Arc::new(shared) }
    }

    /// The server for the next chunk. Waits until there is one.
    pub async fn pick(&self) -> Target {
        loop {
            // Made before the look, so that no change falls between the two.
            let available = self.shared.available.notified();
            if let Some(target) = self.try_pick() {
                return target;
            }
            available.await;
        }
    }

    /// A server as it is known now, whether it is up or down; `None` where the DNS no longer names it.
    pub fn target(&self, id: ServerId) -> Option<Target> {
        self.shared.with(|servers| servers.get(id).map(Target::of))
    }

    /// All servers, whether they are up or down. Looks for servers in the DNS first, if none is known yet.
    pub async fn targets(&self) -> Vec<Target> {
        let known = |servers: &mut Servers<_>| servers.iter().map(Target::of).collect::<Vec<_>>();
        let targets = self.shared.with(known);
        if !targets.is_empty() {
            return targets;
        }
        if let Some(srv) = &self.shared.config.srv
            && let Err(error) = self.shared.discover(srv).await
        {
            tracing::warn!(output = self.shared.output, %error, "no upstream is known yet");
        }
        self.shared.with(known)
    }

    /// A server acknowledged a chunk, or took it where no acknowledgement is asked for.
    pub fn succeeded(&self, id: ServerId) {
        self.shared.update(|servers, now| servers.succeeded(id, now));
    }

    /// A server could not be reached, refused, or did not take or acknowledge a chunk: it gets no further one until it
    /// has recovered. `reason` is shown to the operator.
    pub fn failed(&self, id: ServerId, reason: &str) {
        let name = self.shared.with(|servers| servers.get(id).map(|server| server.config.name.clone()));
        if let Some(name) = name {
            self.shared.metrics.failed(&name);
        }
        self.shared.update(|servers, now| servers.failed(id, reason, now));
        self.shared.rescheduled.notify_one();
    }

    fn try_pick(&self) -> Option<Target> {
        let now = Instant::now().into_std();
        let (target, is_trial) = self.shared.with(|servers| {
            let server = servers.pick(now)?;
            Some((Target::of(server), !server.is_up()))
        })?;
        if is_trial {
            tracing::debug!(output = self.shared.output, server = target.name, "on trial with one chunk");
            self.shared.rescheduled.notify_one();
        }
        Some(target)
    }
}

impl Shared {
    fn addresses(&self, server: &ForwardServerConfig) -> Arc<Addresses> {
        let ForwardPoolConfig { expire_dns_cache, dns_round_robin, .. } = self.config;
        let lookup = Arc::clone(&self.lookup);
        Arc::new(Addresses::new(server.address.clone(), lookup, expire_dns_cache, dns_round_robin))
    }

    /// Changes something, and lets the world know what came of it.
    fn update(&self, update: impl FnOnce(&mut Servers<Arc<Addresses>>, std::time::Instant) -> Vec<Change>) {
        let (changes, is_available) = self.with(|servers| {
            let had_turn = servers.has_turn();
            let changes = update(servers, Instant::now().into_std());
            for change in &changes {
                if let Change::Down { id, .. } = change
                    && let Some(server) = servers.get(*id)
                {
                    // It may be down because it has moved.
                    server.extra.expire();
                }
                self.announce(change);
            }
            (changes, servers.has_turn() && !had_turn)
        });
        if !changes.is_empty() {
            self.rescheduled.notify_one();
        }
        if is_available {
            self.available.notify_waiters();
        }
    }

    fn announce(&self, change: &Change) {
        let output = &self.output;
        match change {
            Change::Down { name, reason, alone, .. } => {
                self.metrics.turned(name, false);
                let outlook = match alone {
                    true => "no other is left, so chunks wait in the journal",
                    false => "its share goes to the others",
                };
                tracing::warn!(output, server = name, "upstream {name} is down: {reason}; {outlook}");
            }
            Change::Back { name, .. } => {
                self.metrics.turned(name, true);
                tracing::info!(output, server = name, "upstream {name} is back");
            }
            Change::StandbyUsed { name } => {
                tracing::warn!(output, server = name, "upstream {name} stands in for one that is down");
            }
            Change::StandbyReleased { name } => {
                tracing::info!(output, server = name, "upstream {name} is on standby again");
            }
            Change::Added { name } => {
                self.metrics.added(name);
                tracing::info!(output, server = name, "upstream {name} was found in the DNS");
            }
            Change::Removed { name } => {
                self.metrics.removed(name);
                tracing::info!(output, server = name, "upstream {name} is no longer in the DNS");
            }
        }
    }

    fn with<R>(&self, use_servers: impl FnOnce(&mut Servers<Arc<Addresses>>) -> R) -> R {
        use_servers(&mut self.servers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
