//! Turns by weight, without chance: the smooth weighted round robin of nginx.
//!
//! Over one round (as many turns as the weights add up to, divided by what divides them all) everyone gets exactly its
//! share, and a heavy one is mixed with the light ones instead of having its turns in a row.

/// Whose turn it is, among those that take part.
#[derive(Debug, Default)]
pub(super) struct Balance {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The caller's number for it.
    index: usize,
    weight: i64,
    /// What it is owed; the sum over all is zero after every turn.
    credit: i64,
}

impl Balance {
    /// Lets these take part, by index and weight; one without weight does not. A new round begins, unless they are the
    /// same as before.
    pub(super) fn set(&mut self, members: impl IntoIterator<Item = (usize, u32)>) {
        let entries: Vec<Entry> = members
            .into_iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(index, weight)| Entry { index, weight: weight.into(), credit: 0 })
            .collect();
        let same = |(left, right): (&Entry, &Entry)| (left.index, left.weight) == (right.index, right.weight);
        if entries.len() != self.entries.len() || !entries.iter().zip(&self.entries).all(same) {
            self.entries = entries;
        }
    }

    /// Whose turn it is; `None` where nobody takes part.
    pub(super) fn turn(&mut self) -> Option<usize> {
        let total: i64 = self.entries.iter().map(|entry| entry.weight).sum();
        for entry in &mut self.entries {
            entry.credit += entry.weight;
        }
        // The first of equals, so that an order in the configuration means something.
        let next = self.entries.iter_mut().rev().max_by_key(|entry| entry.credit)?;
        next.credit -= total;
        Some(next.index)
    }

    /// Whether nobody takes part.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns(members: &[(usize, u32)], count: usize) -> Vec<usize> {
        let mut balance = Balance::default();
        balance.set(members.iter().copied());
        (0..count).filter_map(|_| balance.turn()).collect()
    }

    #[test]
    fn a_heavy_one_is_mixed_with_the_light_ones() {
        assert_eq!(turns(&[(0, 5), (1, 1), (2, 1)], 7), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(turns(&[(7, 60), (8, 60)], 4), [7, 8, 7, 8]);
    }

    #[test]
    fn without_weight_there_is_no_turn() {
        assert_eq!(turns(&[(0, 0), (1, 1)], 3), [1, 1, 1]);
        assert!(turns(&[(0, 0)], 3).is_empty());
        assert!(turns(&[], 3).is_empty());
    }

    #[test]
    fn the_same_members_again_do_not_begin_a_new_round() {
        let mut balance = Balance::default();
        balance.set([(0, 1), (1, 1)]);
        assert_eq!(balance.turn(), Some(0));
        balance.set([(0, 1), (1, 1)]);
        assert_eq!(balance.turn(), Some(1));
    }

    proptest! {
        #[test]
        fn over_one_round_everyone_gets_exactly_its_share(weights in proptest::collection::vec(0_u32..12, 1..8)) {
            let members: Vec<(usize, u32)> = weights.iter().copied().enumerate().collect();
            let round: u32 = weights.iter().sum();
            let turns = turns(&members, 3 * round as usize);
            for (index, weight) in members {
                for part in turns.chunks(round.max(1) as usize) {
                    let count = part.iter().filter(|turn| **turn == index).count();
                    prop_assert_eq!(count, weight as usize, "{} in {:?}", index, part);
                }
            }
        }

        #[test]
        fn the_heaviest_weights_do_not_overflow(count in 1_usize..128) {
            let members: Vec<(usize, u32)> = (0..count).map(|index| (index, u32::MAX)).collect();
            prop_assert_eq!(turns(&members, count), (0..count).collect::<Vec<_>>());
        }
    }
}
