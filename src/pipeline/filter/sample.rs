//! `type = "sample"`: one event in so many.

use super::{Draft, Verdict};
use crate::pipeline::template::{ValueRenderer, ValueTemplate};

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) one_in: u64,
    pub(super) by: Option<ValueTemplate>,
}

impl Sample {
    /// By the place of the event in the journal, or by a value of its own: either way the same for every output, and
    /// the same again when the chunk is read again.
    pub(super) fn apply(&self, draft: &Draft<'_>, renderer: &mut ValueRenderer) -> Verdict {
        let hash = match &self.by {
            Some(template) => hash(renderer.render(template, &draft.event())),
            None => hash(&draft.place()),
        };
        if hash.is_multiple_of(self.one_in) { Verdict::Passes } else { Verdict::Dropped }
    }
}

/// FNV-1a, and the last steps of SplitMix64 so that all bits depend on all bytes. It must never change, or events
/// that belong together would be torn apart by an upgrade.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_in_so_many_stays() {
        for one_in in [2u64, 10, 100] {
            let stays =
                (0..100_000u32).filter(|index| hash(&index.to_be_bytes()).is_multiple_of(one_in)).count();
            let expected = 100_000 / one_in as usize;
            assert!(stays.abs_diff(expected) < expected / 5, "{stays} of 100000 for one in {one_in}");
        }
    }

    #[test]
    fn the_hash_stays_as_it_is() {
        assert_eq!(hash(b""), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(hash(b"trace-1"), hash(b"trace-1"));
    }
}
