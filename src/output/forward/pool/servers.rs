//! The servers of one output and who gets the next chunk. No socket, and time comes in as an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::balance::Balance;
use super::health::{Health, Policy, Turn};
use crate::config::{ForwardServerConfig, HostPort};

/// A server while it is in the list; one that left and came back has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub(in crate::output::forward) u64);

/// A server with what the caller keeps about it.
#[derive(Debug)]
pub(super) struct Server<T> {
    pub id: ServerId,
    pub config: Arc<ForwardServerConfig>,
    pub extra: T,
    /// Whether the DNS brought it.
    discovered: bool,
    health: Health,
    /// Whether it takes part, which for a standby means that another is down.
    in_use: bool,
}

/// What happened to the list, for the log and for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Added {
        name: String,
    },
    Removed {
        name: String,
    },
    /// `alone`: nobody is left who could take its share.
    Down {
        id: ServerId,
        name: String,
        reason: String,
        alone: bool,
    },
    Back {
        id: ServerId,
        name: String,
    },
    StandbyUsed {
        name: String,
    },
    StandbyReleased {
        name: String,
    },
}

#[derive(Debug)]
pub(super) struct Servers<T> {
    policy: Policy,
    servers: Vec<Server<T>>,
    balance: Balance,
    next_id: u64,
    last_judged: Instant,
    /// The time for which it was decided who takes part.
    last_arranged: Instant,
}

/// A judgement that comes this many intervals late means that this process was stopped or starved, not the servers.
const LATE_JUDGEMENT: u32 = 5;

impl<T> Servers<T> {
    /// Without servers.
    pub(super) fn new(policy: Policy, now: Instant) -> Self {
        let (servers, balance) = (Vec::new(), Balance::default());
        Self { policy, servers, balance, next_id: 0, last_judged: now, last_arranged: now }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Server<T>> {
        self.servers.iter()
    }

    pub(super) fn get(&self, id: ServerId) -> Option<&Server<T>> {
        self.servers.iter().find(|server| server.id == id)
    }

    /// Adds a server that stays.
    pub(super) fn add(&mut self, config: ForwardServerConfig, extra: T, now: Instant) {
        self.insert(config, extra, false, now);
        self.arrange(now);
    }

    /// Makes the discovered servers be these. Those that were there before keep their health, and so do those that the
    /// configuration itself names, which have precedence.
    pub(super) fn discover(
        &mut self,
        found: Vec<ForwardServerConfig>,
        mut extra: impl FnMut(&ForwardServerConfig) -> T,
        now: Instant,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let order: Vec<HostPort> = found.iter().map(|config| config.address.clone()).collect();
        self.servers.retain(|server| {
            let stays = !server.discovered || order.contains(&server.config.address);
            if !stays {
                changes.push(Change::Removed { name: server.config.name.clone() });
            }
            stays
        });
        for config in found {
            match self.servers.iter_mut().find(|server| server.config.address == config.address) {
                Some(known) if known.discovered => known.config = Arc::new(config),
                Some(_) => {}
                None => {
                    changes.push(Change::Added { name: config.name.clone() });
                    let extra = extra(&config);
                    self.insert(config, extra, true, now);
                }
            }
        }
        // Standby servers step in in the order of the list: the configuration's, then the answer's.
        let place = |server: &Server<T>| match server.discovered {
            false => 0,
            true => {
                1 + order.iter().position(|address| *address == server.config.address).unwrap_or_default()
            }
        };
        self.servers.sort_by_key(place);
        changes.extend(self.arrange(now));
        changes
    }

    /// Who gets the next chunk.
    pub(super) fn pick(&mut self, now: Instant) -> Option<&Server<T>> {
        let index = self.balance.turn()?;
        let server = self.servers.get_mut(index)?;
        server.health.picked(now);
        if !server.is_up() {
            // It was on trial, and gets no second chunk.
            self.arrange(now);
        }
        self.servers.get(index)
    }

    /// Whether [`pick`](Self::pick) would find somebody.
    pub(super) fn has_turn(&self) -> bool {
        !self.balance.is_empty()
    }

    /// When somebody becomes usable by the mere passing of time: [`judge`](Self::judge) should be called then, or at
    /// once if that time is over.
    pub(super) fn next_change(&self) -> Option<Instant> {
        let waiting = self.servers.iter().filter(|server| !server.health.is_usable(self.last_arranged));
        waiting.filter_map(|server| server.health.next_change()).min()
    }

    pub(super) fn heartbeat(&mut self, id: ServerId, now: Instant) -> Vec<Change> {
        self.update(id, now, |health| health.heartbeat(now))
    }

    pub(super) fn heartbeat_failed(&mut self, id: ServerId, error: String, now: Instant) -> Vec<Change> {
        self.update(id, now, |health| {
            health.heartbeat_failed(error);
            None
        })
    }

    pub(super) fn failed(&mut self, id: ServerId, reason: &str, now: Instant) -> Vec<Change> {
        self.update(id, now, |health| health.failed(now, reason))
    }

    pub(super) fn succeeded(&mut self, id: ServerId, now: Instant) -> Vec<Change> {
        self.update(id, now, |health| health.succeeded(now))
    }

    /// Looks who was silent for too long, and whose wait is over.
    pub(super) fn judge(&mut self, now: Instant) -> Vec<Change> {
        let since = now.saturating_duration_since(self.last_judged);
        self.last_judged = now;
        let interval = self.policy.heartbeat_interval.unwrap_or(Duration::MAX);
        if since > interval.saturating_mul(LATE_JUDGEMENT) {
            self.servers.iter_mut().for_each(|server| server.health.forgive(since));
        }
        let turns: Vec<_> = self
            .servers
            .iter_mut()
            .filter_map(|server| Some((server.id, server.health.judge(now)?)))
            .collect();
        self.finish(turns, now)
    }

    fn insert(&mut self, config: ForwardServerConfig, extra: T, discovered: bool, now: Instant) {
        let id = ServerId(self.next_id);
        self.next_id += 1;
        let health = Health::new(self.policy, now);
        self.servers.push(Server { id, config: Arc::new(config), extra, discovered, health, in_use: false });
    }

    /// A server that is no longer in the list is nobody's concern.
    fn update(
        &mut self,
        id: ServerId,
        now: Instant,
        event: impl FnOnce(&mut Health) -> Option<Turn>,
    ) -> Vec<Change> {
        let Some(server) = self.servers.iter_mut().find(|server| server.id == id) else {
            return Vec::new();
        };
        let turn = event(&mut server.health);
        // Reports of success come with every chunk and change nothing.
        if turn.is_none() && server.in_use && server.is_up() {
            return Vec::new();
        }
        self.finish(turn.map(|turn| (id, turn)), now)
    }

    fn finish(&mut self, turns: impl IntoIterator<Item = (ServerId, Turn)>, now: Instant) -> Vec<Change> {
        let standby_changes = self.arrange(now);
        let alone = !self.servers.iter().any(Server::takes_part);
        let name = |id| self.get(id).map(|server| server.config.name.clone()).unwrap_or_default();
        let turns = turns.into_iter().map(|(id, turn)| match turn {
            Turn::Down { reason } => Change::Down { id, name: name(id), reason, alone },
            Turn::Up => Change::Back { id, name: name(id) },
        });
        turns.chain(standby_changes).collect()
    }

    /// Decides who takes part. As in Fluentd, standby servers step in, in their order, until their weights make up for
    /// those of the servers that are down; for equal weights that is one for one.
    fn arrange(&mut self, now: Instant) -> Vec<Change> {
        self.last_arranged = now;
        let weight = |server: &Server<T>| u64::from(server.config.weight);
        let regular = self.servers.iter().filter(|server| !server.config.standby);
        // Before the DNS has answered, standby servers of the configuration may be all there is.
        let none_regular = regular.clone().count() == 0;
        // A server on trial is still lost, so that its standby stays until it is back.
        let mut lost: u64 = regular.filter(|server| !server.is_up()).map(weight).sum();
        let mut changes = Vec::new();
        for server in &mut self.servers {
            let usable = server.health.is_usable(now);
            let in_use = match server.config.standby {
                false => usable,
                true => usable && server.config.weight > 0 && (lost > 0 || none_regular),
            };
            if server.config.standby {
                lost = if in_use { lost.saturating_sub(server.config.weight.into()) } else { lost };
                let name = || server.config.name.clone();
                match (server.in_use, in_use) {
                    (false, true) => changes.push(Change::StandbyUsed { name: name() }),
                    (true, false) if usable => changes.push(Change::StandbyReleased { name: name() }),
                    _ => {}
                }
            }
            server.in_use = in_use;
        }
        let alone = !self.servers.iter().any(Server::takes_part);
        let members = self.servers.iter().enumerate().filter(|(_, server)| match alone {
            false => server.in_use,
            true => server.health.is_last_resort(now),
        });
        self.balance.set(members.map(|(index, server)| (index, server.config.weight)));
        changes
    }
}

impl<T> Server<T> {
    pub(super) fn is_up(&self) -> bool {
        self.health.is_up()
    }

    fn takes_part(&self) -> bool {
        self.in_use && self.config.weight > 0
    }
}

#[cfg(test)]
mod tests;
