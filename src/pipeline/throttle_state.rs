//! What `throttle` filters have counted: the one thing that a pipeline remembers from chunk to chunk.
//!
//! Counts belong to *windows* of receipt time, which the journal keeps, and go by the order of the journal. At the start of a
//! window nothing is counted, so every output that reads a window whole comes to the same result, whatever its pace. The
//! counts of the current window are saved in the cursor, so that an output that starts again goes on as if it had
//! never stopped: reading is a pure function of the chunk and of what is kept here.
//!
//! ```text
//! as an attribute of the cursor (journal/cursor_attributes.rs), integers little-endian:
//!
//!  0  2  version: 1
//!  2  2  zero
//!  4  4  number of filters
//!  8  …  filters:
//!         0 16  identity: what the filter is, from its configuration
//!        16  8  window: the number of intervals since the Unix epoch
//!        24  4  events of the keys past max_keys
//!        28  4  number of keys
//!        32  …  keys, sorted: 16 bytes of SHA-256 over the key, 4 bytes of count
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::event_time::EventTime;
use crate::journal::cursor_attributes::{THROTTLE, write_attribute};

const VERSION: u16 = 1;

/// How long before the current window a receipt time may lie and still count into it: chunks of several connections are
/// not in the order of their times. What is older says that somebody set the clock back.
pub const MAX_LATENESS: Duration = Duration::from_secs(60);

/// The first 16 bytes of a SHA-256.
pub(super) type ShortHash = [u8; 16];

/// The counts of all filters of one output. Cheap to clone; a clone shares memory until one of the two counts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThrottleState {
    filters: HashMap<ShortHash, Arc<Counts>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counts {
    window: i64,
    by_key: HashMap<ShortHash, u32>,
    /// Of the keys past `max_keys`.
    others: u32,
}

/// What a filter allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// What the filter is: with another one it starts anew.
    pub(super) identity: ShortHash,
    /// Events of one key in one window.
    pub(super) limit: u32,
    pub(super) interval: Duration,
    /// Keys with a count of their own; the rest shares one.
    pub(super) max_keys: usize,
}

impl ThrottleState {
    /// Counts an event, if it is within what is allowed; whether it is.
    pub(super) fn admits(&mut self, allowance: &Allowance, received_at: EventTime, key: &ShortHash) -> bool {
        let interval = i64::try_from(allowance.interval.as_nanos()).unwrap_or(i64::MAX).max(1);
        let at = received_at.unix_nanoseconds();
        let window = at.div_euclid(interval);
        let counts = self
            .filters
            .entry(allowance.identity)
            .or_insert_with(|| Arc::new(Counts { window, ..Counts::default() }));
        let is_far_back = || {
            let lateness = i64::try_from(MAX_LATENESS.as_nanos()).unwrap_or(i64::MAX);
            at.saturating_add(lateness) < counts.window.saturating_mul(interval)
        };
        if window > counts.window || (window < counts.window && is_far_back()) {
            *counts = Arc::new(Counts { window, ..Counts::default() });
        }
        let is_full = counts.by_key.len() >= allowance.max_keys;
        let known = counts.by_key.get(key).copied();
        let count = match known {
            Some(count) => count,
            None if is_full => counts.others,
            None => 0,
        };
        if count >= allowance.limit {
            return false;
        }
        let counts = Arc::make_mut(counts);
        if known.is_none() && is_full {
            counts.others += 1;
        } else {
            counts.by_key.insert(*key, count + 1);
        }
        true
    }

    /// As an attribute of a cursor; nothing where nothing was counted.
    pub fn attribute(&self) -> Vec<u8> {
        let mut attributes = Vec::new();
        if !self.filters.is_empty() {
            write_attribute(&mut attributes, THROTTLE, &self.encode());
        }
        attributes
    }

    /// The same counts are the same bytes.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&(self.filters.len() as u32).to_le_bytes());
        for (identity, counts) in sorted(&self.filters) {
            out.extend_from_slice(identity);
            out.extend_from_slice(&counts.window.to_le_bytes());
            out.extend_from_slice(&counts.others.to_le_bytes());
            out.extend_from_slice(&(counts.by_key.len() as u32).to_le_bytes());
            for (key, count) in sorted(&counts.by_key) {
                out.extend_from_slice(key);
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
        out
    }

    /// From the bytes of a cursor, those filters that are still there. `None` where a newer version wrote them.
    pub(super) fn decode(bytes: &[u8], is_known: impl Fn(&ShortHash) -> bool) -> Option<Self> {
        let mut rest = bytes;
        if u16::from_le_bytes(take(&mut rest)?) != VERSION {
            return None;
        }
        take::<2>(&mut rest)?;
        let mut filters = HashMap::new();
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let identity: ShortHash = take(&mut rest)?;
            let window = i64::from_le_bytes(take(&mut rest)?);
            let others = u32::from_le_bytes(take(&mut rest)?);
            let mut by_key = HashMap::new();
            for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
                let key: ShortHash = take(&mut rest)?;
                by_key.insert(key, u32::from_le_bytes(take(&mut rest)?));
            }
            if is_known(&identity) {
                filters.insert(identity, Arc::new(Counts { window, by_key, others }));
            }
        }
        rest.is_empty().then_some(Self { filters })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

fn sorted<T>(map: &HashMap<ShortHash, T>) -> Vec<(&ShortHash, &T)> {
    let mut pairs: Vec<_> = map.iter().collect();
    pairs.sort_unstable_by_key(|(key, _)| **key);
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALLOWANCE: Allowance =
        Allowance { identity: [1; 16], limit: 2, interval: Duration::from_secs(10), max_keys: 3 };

    fn at(seconds: i64) -> EventTime {
        EventTime::new(seconds, 0).unwrap()
    }

    #[test]
    fn so_many_events_of_a_key_pass_in_a_window() {
        let mut state = ThrottleState::default();
        let mut admits = |seconds, key| state.admits(&ALLOWANCE, at(seconds), &[key; 16]);
        assert_eq!([100, 105, 109].map(|second| admits(second, 1)), [true, true, false]);
        assert!(admits(109, 2), "another key");
        assert_eq!([110, 119, 119].map(|second| admits(second, 1)), [true, true, false], "the next window");
    }

    #[test]
    fn keys_past_the_limit_share_one_count() {
        let mut state = ThrottleState::default();
        let mut admits = |key| state.admits(&ALLOWANCE, at(100), &[key; 16]);
        assert!(admits(1) && admits(2) && admits(3));
        assert_eq!([4, 5, 6].map(&mut admits), [true, true, false]);
        assert_eq!([3, 3].map(&mut admits), [true, false], "known keys keep their own");
    }

    #[test]
    fn what_comes_late_counts_into_the_current_window_unless_the_clock_was_set_back() {
        let mut state = ThrottleState::default();
        let mut admits = |seconds| state.admits(&ALLOWANCE, at(seconds), &[1; 16]);
        assert!(admits(1000));
        assert!(admits(940), "a minute before the window");
        assert!(!admits(940) && !admits(1009));
        assert!(admits(939), "the clock was set back: that window begins anew");
        assert!(admits(939) && !admits(939));
        assert!(admits(1000), "and forth");
    }

    #[test]
    fn bytes_of_another_version_or_cut_short_are_none() {
        let mut state = ThrottleState::default();
        state.admits(&ALLOWANCE, at(100), &[7; 16]);
        let bytes = state.encode();
        // Cursors of earlier versions must stay readable.
        let expected = [
            &b"\x01\0\0\0\x01\0\0\0"[..],
            &[1; 16],
            b"\x0a\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0",
            &[7; 16],
            b"\x01\0\0\0",
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(ThrottleState::decode(&bytes, |_| true), Some(state));
        assert_eq!(ThrottleState::decode(&bytes, |_| false), Some(ThrottleState::default()));
        for length in 0..bytes.len() {
            assert_eq!(ThrottleState::decode(&bytes[..length], |_| true), None, "{length}");
        }
        assert_eq!(ThrottleState::decode(&[&[2], &bytes[1..]].concat(), |_| true), None);
        assert_eq!(ThrottleState::decode(&[&bytes[..], &[0]].concat(), |_| true), None);
    }

    proptest! {
        #[test]
        fn a_state_that_was_saved_anywhere_goes_on_as_if_it_had_not_been(
            events in proptest::collection::vec((0..300i64, 0..6u8, 0..2u8), 0..60),
            cuts in proptest::collection::vec(0..60usize, 0..5),
        ) {
            let admits = |state: &mut ThrottleState, (seconds, key, filter): (i64, u8, u8)| {
                state.admits(&Allowance { identity: [filter; 16], ..ALLOWANCE }, at(seconds), &[key; 16])
            };
            let (mut whole, mut cut) = (ThrottleState::default(), ThrottleState::default());
            for (index, event) in events.into_iter().enumerate() {
                let before = cut.clone();
                if cuts.contains(&index) {
                    cut = ThrottleState::decode(&cut.encode(), |_| true).unwrap();
                }
                let unchanged = before.clone();
                prop_assert_eq!(admits(&mut whole, event), admits(&mut cut, event));
                prop_assert_eq!(before, unchanged, "a clone does not count on");
            }
            prop_assert_eq!(whole.encode(), cut.encode());
        }
    }
}
