//! The names of senders' hosts, looked up by their addresses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::RData;
use tokio::time::timeout;

/// How long a connection waits for the name of its peer; then it is served without one.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an answer is good, also the answer that there is no name.
const LIFETIME: Duration = Duration::from_secs(300);

/// Addresses that are remembered; past it all are forgotten and asked for again.
const MAX_REMEMBERED: usize = 10_000;

/// Looks names up, once in a while for each address.
#[derive(Debug)]
pub(super) struct HostNames {
    resolver: TokioResolver,
    remembered: Remembered,
}

impl HostNames {
    /// Asks as the system is configured to (`/etc/resolv.conf`, `/etc/hosts`).
    pub(super) fn new() -> Result<Self, NetError> {
        let resolver = TokioResolver::builder_tokio()?.build()?;
        Ok(Self { resolver, remembered: Remembered::default() })
    }

    /// The name of an address, in lower case and without a dot at its end; the first in the alphabet where it has
    /// several. `None` where it has none, or where nobody answers in time.
    pub(super) async fn look_up(&self, address: IpAddr) -> Option<String> {
        if let Some(known) = self.remembered.get(address, Instant::now()) {
            return known;
        }
        let name = match timeout(LOOKUP_TIMEOUT, self.resolver.reverse_lookup(address)).await {
            Ok(Ok(lookup)) => lookup.answers().iter().filter_map(|record| name_in(&record.data)).min(),
            Ok(Err(error)) => {
                tracing::debug!(peer = %address, %error, "the address of a sender has no name");
                None
            }
            Err(_) => {
                tracing::debug!(peer = %address, "nobody told the name of a sender's address in time");
                None
            }
        };
        self.remembered.insert(address, name.clone(), Instant::now());
        name
    }
}

fn name_in(data: &RData) -> Option<String> {
    let RData::PTR(name) = data else { return None };
    let name = name.0.to_lowercase().to_utf8();
    let name = name.strip_suffix('.').unwrap_or(&name);
    (!name.is_empty()).then(|| name.to_owned())
}

/// Answers, and when they were given.
#[derive(Debug, Default)]
struct Remembered {
    by_address: Mutex<HashMap<IpAddr, (Option<String>, Instant)>>,
}

impl Remembered {
    fn get(&self, address: IpAddr, now: Instant) -> Option<Option<String>> {
        let by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, since) = by_address.get(&address)?;
        (now.duration_since(*since) < LIFETIME).then(|| name.clone())
    }

    fn insert(&self, address: IpAddr, name: Option<String>, now: Instant) {
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        if by_address.len() >= MAX_REMEMBERED {
            by_address.clear();
        }
        by_address.insert(address, (name, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_good_for_their_lifetime() {
        let remembered = Remembered::default();
        let (address, start) = (IpAddr::from([192, 0, 2, 7]), Instant::now());
        assert_eq!(remembered.get(address, start), None);
        remembered.insert(address, Some("engine-1".to_owned()), start);
        let almost = start + LIFETIME - Duration::from_nanos(1);
        assert_eq!(remembered.get(address, almost), Some(Some("engine-1".to_owned())));
        assert_eq!(remembered.get(address, start + LIFETIME), None);
        remembered.insert(address, None, start);
        assert_eq!(remembered.get(address, start), Some(None));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let remembered = Remembered::default();
        let now = Instant::now();
        let address = |number: usize| IpAddr::from((number as u32).to_be_bytes());
        for number in 0..MAX_REMEMBERED {
            remembered.insert(address(number), None, now);
        }
        assert_eq!(remembered.get(address(0), now), Some(None));
        remembered.insert(address(MAX_REMEMBERED), None, now);
        assert_eq!(remembered.by_address.lock().unwrap().len(), 1);
    }
}
