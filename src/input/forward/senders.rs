//! What one sender, and one address, may take of an input.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::budget::Pool;
use super::throttle::Throttle;
use crate::config::InputConfig;

/// Senders without connections that are still paying off what they sent are looked through when there are twice as
/// many of them as the time before, and at least so many.
const FIRST_SWEEP: usize = 1024;

/// Counts the connections of each sender, and keeps its rates.
///
/// Bounded: a sender is forgotten with its last connection, or, where it has taken more than it may, when that is
/// paid off. Past `max_connections` of the latter the ones that are nearest to it are forgotten early.
#[derive(Debug)]
pub(super) struct Senders {
    config: InputConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    by_identity: HashMap<Arc<str>, Known>,
    handshakes: HashMap<IpAddr, usize>,
    /// How many senders to know before looking for some to forget.
    next_sweep: usize,
}

#[derive(Debug)]
struct Known {
    connections: usize,
    throttle: Arc<Throttle>,
    in_flight: Pool,
}

impl Senders {
    pub(super) fn new(config: &InputConfig) -> Arc<Self> {
        let state =
            State { by_identity: HashMap::new(), handshakes: HashMap::new(), next_sweep: FIRST_SWEEP };
        Arc::new(Self { config: config.clone(), state: Mutex::new(state) })
    }

    /// A place for a connection whose sender is not known yet; `None` where its address has
    /// `max_handshakes_by_address` of them.
    pub(super) fn begin_handshake(self: &Arc<Self>, address: IpAddr) -> Option<Handshake> {
        let network = network_of(address);
        let mut state = self.lock();
        let count = state.handshakes.entry(network).or_default();
        if *count >= self.config.max_handshakes_by_address {
            return None;
        }
        *count += 1;
        Some(Handshake { senders: Arc::clone(self), network })
    }

    /// A place for a connection of this sender; `None` where it has `max_connections_by_sender` of them.
    pub(super) fn admit(self: &Arc<Self>, identity: &str, now: Instant) -> Option<Place> {
        let mut state = self.lock();
        if let Some(known) = state.by_identity.get_mut(identity) {
            if known.connections >= self.config.max_connections_by_sender {
                return None;
            }
            known.connections += 1;
        } else {
            if state.by_identity.len() >= state.next_sweep {
                state.sweep(self.config.max_connections, now);
            }
            let throttle = Arc::new(Throttle::new(&self.config, now));
            let in_flight =
                Pool::new(self.config.max_in_flight_by_sender, self.config.max_memory_of_message());
            state.by_identity.insert(identity.into(), Known { connections: 1, throttle, in_flight });
        }
        let (identity, known) = state.by_identity.get_key_value(identity)?;
        let (identity, throttle) = (Arc::clone(identity), Arc::clone(&known.throttle));
        Some(Place { senders: Arc::clone(self), identity, throttle, in_flight: known.in_flight.clone() })
    }

    /// A panic elsewhere leaves the counts right: each changes with the place that it counts.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets who has no connection and owes nothing, and those who owe least beyond `max_owing` of the others.
    fn sweep(&mut self, max_owing: usize, now: Instant) {
        let mut owing = Vec::new();
        self.by_identity.retain(|identity, known| {
            if known.connections > 0 {
                return true;
            }
            let until_full = known.throttle.until_full(now);
            if !until_full.is_zero() {
                owing.push((until_full, Arc::clone(identity)));
            }
            !until_full.is_zero()
        });
        if let Some(too_many) = owing.len().checked_sub(max_owing) {
            owing.sort_unstable();
            for (_, identity) in owing.drain(..too_many) {
                self.by_identity.remove(&identity);
            }
        }
        self.next_sweep = (self.by_identity.len() * 2).max(FIRST_SWEEP);
    }
}

/// Whose connections count together while nobody knows who they are: an IPv6 host is given 2⁶⁴ addresses, so that its
/// network counts as one.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

/// A connection in its handshake; ends when dropped.
#[derive(Debug)]
pub(super) struct Handshake {
    senders: Arc<Senders>,
    network: IpAddr,
}

impl Drop for Handshake {
    fn drop(&mut self) {
        let mut state = self.senders.lock();
        if let Some(count) = state.handshakes.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                state.handshakes.remove(&self.network);
            }
        }
    }
}

/// A connection of a sender; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    senders: Arc<Senders>,
    identity: Arc<str>,
    throttle: Arc<Throttle>,
    in_flight: Pool,
}

impl Place {
    /// The rates that all connections of the sender share.
    pub(super) fn throttle(&self) -> &Throttle {
        &self.throttle
    }

    /// Where all connections of the sender take their bytes from.
    pub(super) fn in_flight(&self) -> &Pool {
        &self.in_flight
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.senders.lock();
        if let Some(known) = state.by_identity.get_mut(&self.identity) {
            known.connections -= 1;
            if known.connections == 0 && known.throttle.until_full(now).is_zero() {
                state.by_identity.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    fn senders(keys: &str) -> Arc<Senders> {
        let text = format!(
            "[[input]]\nid = \"i\"\ntype = \"forward\"\nlisten = \"127.0.0.1:1\"\n{keys}\n\
             [[output]]\nid = \"o\"\ntype = \"file\"\nmatch = \"**\"\npath = \"/o.log\"\n"
        );
        Senders::new(&Config::parse(&text, None, &|_| None).unwrap().inputs[0])
    }

    #[test]
    fn each_sender_has_its_places_and_gets_them_back() {
        let now = Instant::now();
        let senders = senders("max_connections_by_sender = 2");
        let places = [senders.admit("a", now).unwrap(), senders.admit("a", now).unwrap()];
        assert!(senders.admit("a", now).is_none());
        assert!(senders.admit("b", now).is_some());
        drop(places);
        assert!(senders.admit("a", now).is_some());
        assert!(senders.lock().by_identity.is_empty(), "who is gone is forgotten");
    }

    #[test]
    fn an_address_and_an_ipv6_network_have_so_many_handshakes() {
        let senders = senders("max_handshakes_by_address = 1");
        let begin = |address: &str| senders.begin_handshake(address.parse().unwrap());
        let first = begin("192.0.2.1").unwrap();
        assert!(begin("192.0.2.1").is_none());
        assert!(begin("::ffff:192.0.2.1").is_none(), "the same written as IPv6");
        assert!(begin("192.0.2.2").is_some());
        let _network = begin("2001:db8:0:1::1").unwrap();
        assert!(begin("2001:db8:0:1:ffff::2").is_none());
        assert!(begin("2001:db8:0:2::1").is_some());
        drop(first);
        assert!(begin("192.0.2.1").is_some());
    }

    #[test]
    fn a_reconnect_pays_no_debt_off() {
        let now = Instant::now();
        let senders = senders("max_events_per_second = 1");
        let place = senders.admit("a", now).unwrap();
        place.throttle().charge_events(1000, now);
        drop(place);
        let place = senders.admit("a", now).unwrap();
        assert!(place.throttle().until_full(now) > Duration::from_secs(900));
        assert_eq!(senders.admit("b", now).unwrap().throttle().until_full(now), Duration::ZERO);
    }

    #[test]
    fn senders_that_left_in_debt_are_forgotten_when_it_is_paid_or_when_there_are_too_many() {
        let now = Instant::now();
        let senders = senders("max_connections = 10\nmax_events_per_second = 1");
        let leave = |identity: u32, events: u32| {
            senders.admit(&identity.to_string(), now).unwrap().throttle().charge_events(events, now);
        };
        for sender in 0..FIRST_SWEEP as u32 {
            leave(sender, 1000 + sender);
        }
        assert_eq!(senders.lock().by_identity.len(), FIRST_SWEEP);
        leave(9999, 1000);
        let known = |senders: &Senders| senders.lock().by_identity.len();
        assert_eq!(known(&senders), 11, "those with the most debt, and the new one");
        assert!(senders.lock().by_identity.contains_key("1023"));
        senders.lock().sweep(10, now + Duration::from_secs(3000));
        assert_eq!(known(&senders), 0);
    }
}
