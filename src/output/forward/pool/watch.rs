//! What goes on beside the deliveries: heartbeats, waits that end, and SRV records that change.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Pool, ServerId, Shared};
use crate::config::{HeartbeatKind, SrvConfig};
use crate::output::forward::heartbeat;
use crate::output::forward::resolve::{MAX_DISCOVERED, servers};

/// How soon an SRV lookup that failed is repeated, unless `refresh` is shorter.
const SRV_RETRY: Duration = Duration::from_secs(5);

impl Pool {
    /// Sends heartbeats and follows SRV records until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let shared = &self.shared;
        let health = async {
            match shared.config.heartbeat {
                HeartbeatKind::None => shared.end_waits().await,
                kind => shared.send_heartbeats(kind).await,
            }
        };
        let discovery = async {
            match &shared.config.srv {
                Some(srv) => shared.follow(srv).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = health => {}
            () = discovery => {}
        }
    }
}

impl Shared {
    /// Asks every server every `heartbeat_interval`, one question to each at a time. Never ends.
    async fn send_heartbeats(&self, kind: HeartbeatKind) {
        let mut ticks = interval(self.config.heartbeat_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heartbeats = JoinSet::new();
        let mut under_way = HashMap::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.update(|servers, now| servers.judge(now));
                    let asked = |id: &ServerId| under_way.values().any(|other| other == id);
                    let due: Vec<_> = self.with(|servers| {
                        let due = servers.iter().filter(|server| !asked(&server.id));
                        due.map(|server| (server.id, Arc::clone(&server.extra))).collect()
                    });
                    for (id, addresses) in due {
                        let task = heartbeats.spawn(async move {
                            match kind {
                                HeartbeatKind::Udp => heartbeat::udp(&addresses).await,
                                _ => heartbeat::transport(&addresses).await,
                            }
                        });
                        under_way.insert(task.id(), id);
                    }
                }
                Some(ended) = heartbeats.join_next_with_id() => {
                    let (task, result) = match ended {
                        Ok((task, result)) => (task, result),
                        Err(error) => (error.id(), Err(io::Error::other(error))),
                    };
                    let Some(id) = under_way.remove(&task) else { continue };
                    self.update(|servers, now| match result {
                        Ok(()) => servers.heartbeat(id, now),
                        Err(error) => servers.heartbeat_failed(id, error.to_string(), now),
                    });
                }
            }
        }
    }

    /// Without heartbeats: lets servers whose `recover_wait` is over have a chunk on trial. Never ends.
    async fn end_waits(&self) {
        loop {
            let next = self.with(|servers| servers.next_change());
            let over = async {
                match next {
                    Some(next) => sleep_until(next.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.rescheduled.notified() => {}
                () = over => self.update(|servers, now| servers.judge(now)),
            }
        }
    }

    /// Looks the records up every `refresh`. Never ends.
    async fn follow(&self, srv: &SrvConfig) {
        let mut is_failing = false;
        loop {
            let wait = match self.discover(srv).await {
                Ok(()) if is_failing => {
                    tracing::info!(output = self.output, "{} can be looked up again", srv.query());
                    is_failing = false;
                    srv.refresh
                }
                Ok(()) => srv.refresh,
                Err(error) => {
                    self.metrics.lookup_failed();
                    if !is_failing {
                        tracing::warn!(output = self.output, %error, "going on with the upstreams known so far");
                    }
                    is_failing = true;
                    srv.refresh.min(SRV_RETRY)
                }
            };
            sleep(wait).await;
        }
    }

    /// Looks the records up once. After an error the servers stay as they are.
    pub(super) async fn discover(&self, srv: &SrvConfig) -> io::Result<()> {
        let query = srv.query();
        let explain = |reason: &dyn std::fmt::Display| {
            io::Error::other(format!("cannot find upstreams at {query}: {reason}"))
        };
        let records = self.lookup.services(&query).await.map_err(|error| explain(&error))?;
        let count = records.len();
        let found = servers(records, srv);
        if found.is_empty() {
            return Err(explain(&"the answer names no server"));
        }
        if count > MAX_DISCOVERED {
            tracing::warn!(
                output = self.output,
                "{query} has {count} records; the first {MAX_DISCOVERED} by priority and weight are used"
            );
        }
        self.update(|servers, now| servers.discover(found, |server| self.addresses(server), now));
        Ok(())
    }
}
