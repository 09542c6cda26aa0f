//! Answers that a test gives.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};

use super::{Answer, Lookup, ServiceRecord};
use crate::config::HostPort;

/// Names have the answers that were set last; others have none.
#[derive(Debug, Default)]
pub(in crate::output::forward) struct FakeLookup(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    addresses: HashMap<String, Vec<SocketAddr>>,
    services: HashMap<String, Vec<ServiceRecord>>,
    lookups: usize,
}

impl FakeLookup {
    pub(in crate::output::forward) fn set_addresses(&self, host: &str, addresses: &[SocketAddr]) {
        self.state().addresses.insert(host.to_owned(), addresses.to_vec());
    }

    /// `None`: the lookup fails.
    pub(in crate::output::forward) fn set_services(&self, name: &str, records: Option<Vec<ServiceRecord>>) {
        match records {
            Some(records) => self.state().services.insert(name.to_owned(), records),
            None => self.state().services.remove(name),
        };
    }

    pub(in crate::output::forward) fn fail_addresses(&self, host: &str) {
        self.state().addresses.remove(host);
    }

    /// How many questions there were so far.
    pub(in crate::output::forward) fn lookups(&self) -> usize {
        self.state().lookups
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Lookup for FakeLookup {
    fn addresses<'a>(&'a self, address: &'a HostPort) -> Answer<'a, Vec<SocketAddr>> {
        let mut state = self.state();
        state.lookups += 1;
        let answer = state.addresses.get(address.host()).cloned();
        Box::pin(async { answer.ok_or_else(|| io::Error::other("no such name")) })
    }

    fn services<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<ServiceRecord>> {
        let mut state = self.state();
        state.lookups += 1;
        let answer = state.services.get(name).cloned();
        Box::pin(async { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}
