//! Which server gets the next message.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::config::{ForwardOutputConfig, ForwardServerConfig, Secret};

/// How long a server that failed is left alone; doubled with every further failure.
const MIN_REST: Duration = Duration::from_millis(100);
const MAX_REST: Duration = Duration::from_secs(10);

/// The servers of one output. Clones share what they know.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

/// Names a server, also after its address has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ServerId(usize);

impl ServerId {
    pub(super) fn new(index: usize) -> Self {
        Self(index)
    }
}

/// A server to send to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) id: ServerId,
    /// What log lines and metrics call it.
    pub(super) name: String,
    /// `host:port`
    pub(super) address: String,
    /// `None`: no handshake.
    pub(super) shared_key: Option<Secret>,
    pub(super) user: Option<(String, Secret)>,
}

#[derive(Debug)]
struct Shared {
    servers: Vec<ForwardServerConfig>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: usize,
    resting: Vec<Option<Rest>>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    length: Duration,
}

impl Pool {
    pub(super) fn new(config: &ForwardOutputConfig) -> Self {
        let state = State { next: 0, resting: vec![None; config.servers.len()] };
        Self { shared: Arc::new(Shared { servers: config.servers.clone(), state: Mutex::new(state) }) }
    }

    /// The server for the next message. Waits until there is one.
    pub(super) async fn pick(&self) -> Target {
        loop {
            match self.try_pick(Instant::now()) {
                Ok(target) => return target,
                Err(rested) => sleep_until(rested).await,
            }
        }
    }

    /// A server as it is known now; `None` where it is gone.
    pub(super) fn target(&self, id: ServerId) -> Option<Target> {
        let server = self.shared.servers.get(id.0)?;
        Some(Target {
            id,
            name: server.name.clone(),
            address: server.address.clone(),
            shared_key: server.shared_key.clone(),
            user: server.user.clone(),
        })
    }

    /// All servers that are known now.
    pub(super) async fn targets(&self) -> Vec<Target> {
        (0..self.shared.servers.len()).filter_map(|index| self.target(ServerId::new(index))).collect()
    }

    /// A server took a message.
    pub(super) fn succeeded(&self, id: ServerId) {
        if let Some(resting) = self.state().resting.get_mut(id.0) {
            *resting = None;
        }
    }

    /// A server did not take a message.
    pub(super) fn failed(&self, id: ServerId, _reason: &str) {
        let now = Instant::now();
        if let Some(resting) = self.state().resting.get_mut(id.0) {
            let length = match resting {
                // Several messages that fail together are one failure.
                Some(rest) if rest.until > now => return,
                Some(rest) => (rest.length * 2).min(MAX_REST),
                None => MIN_REST,
            };
            *resting = Some(Rest { until: now + length, length });
        }
    }

    /// The next server that does not rest, or when the first has rested.
    fn try_pick(&self, now: Instant) -> Result<Target, Instant> {
        let mut state = self.state();
        let count = self.shared.servers.len();
        let start = state.next;
        let rested = |index: usize| state.resting[index].filter(|rest| rest.until > now).is_none();
        let found = (0..count).map(|step| (start + step) % count).find(|index| rested(*index));
        if let Some(target) = found.and_then(|index| self.target(ServerId::new(index))) {
            state.next = (target.id.0 + 1) % count;
            return Ok(target);
        }
        Err(state.resting.iter().flatten().map(|rest| rest.until).min().unwrap_or(now + MAX_REST))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
