//! What follows from a tag alone, remembered by tag.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::Filter;
use super::route::Decision;
use super::selector::Shared;

/// How many tags' decisions are remembered; when there are more it starts over.
pub(super) const MAX_REMEMBERED_TAGS: usize = 10_000;

/// The longest tag, in bytes, that is remembered; what longer ones mean is worked out each time.
pub(super) const MAX_REMEMBERED_TAG: usize = 1024;

/// All that follows from a tag.
#[derive(Debug)]
pub(super) struct TagDecision {
    /// The filters that events of the tag meet, in their order.
    pub(super) filters: Vec<usize>,
    /// Whether the output takes events that leave the filters with this tag.
    pub(super) take: Decision,
    /// Whether any event that comes to the filters with this tag can be for the output.
    pub(super) wants: bool,
}

/// The decisions of one output.
#[derive(Debug)]
pub(super) struct TagDecisions {
    output: usize,
    remembered: HashMap<Vec<u8>, Arc<TagDecision>>,
}

impl TagDecisions {
    pub(super) fn new(output: usize) -> Self {
        Self { output, remembered: HashMap::new() }
    }

    /// The output that they are for.
    pub(super) fn output(&self) -> usize {
        self.output
    }

    pub(super) fn decide(&mut self, shared: &Shared, tag: &[u8]) -> Arc<TagDecision> {
        if let Some(decision) = self.remembered.get(tag) {
            return decision.clone();
        }
        let text = String::from_utf8_lossy(tag);
        let all = &shared.filters;
        // Events of another tag must not overtake those that wait for lines: all of a chunk pass by there.
        let mixes =
            |index: usize| all[index].multiline().is_some() && all[..index].iter().any(Filter::retags);
        let filters: Vec<_> =
            (0..all.len()).filter(|index| all[*index].tags.matches(&text) || mixes(*index)).collect();
        let take = shared.routes.decide(self.output, &text);
        // An event with a new tag can be anybody's.
        let wants = take != Decision::Never
            || filters.iter().any(|index| all[*index].retags())
            || (shared.routes.takes_invalid(self.output)
                && (!shared.ownership.is_empty() || filters.iter().any(|index| all[*index].judges())));
        let decision = Arc::new(TagDecision { filters, take, wants });
        if tag.len() <= MAX_REMEMBERED_TAG {
            if self.remembered.len() >= MAX_REMEMBERED_TAGS {
                self.remembered.clear();
            }
            self.remembered.insert(tag.to_vec(), decision.clone());
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pipeline::route::Routes;

    #[test]
    fn remembered_tags_are_bounded() {
        let outputs = Config::development().unwrap().outputs;
        let shared = Shared::new(Vec::new(), Routes::new(&outputs), "");
        let mut decisions = TagDecisions::new(0);
        let wants = |decisions: &mut TagDecisions, tag: &str| {
            decisions.decide(&shared, tag.as_bytes());
            decisions.remembered.len()
        };
        for number in 0..MAX_REMEMBERED_TAGS {
            wants(&mut decisions, &format!("a.{number}"));
        }
        assert_eq!(decisions.remembered.len(), MAX_REMEMBERED_TAGS);
        assert_eq!(wants(&mut decisions, "a.one.more"), 1);
        for (length, remembered) in [(MAX_REMEMBERED_TAG, 2), (MAX_REMEMBERED_TAG + 1, 2)] {
            assert_eq!(wants(&mut decisions, &"x".repeat(length)), remembered);
        }
    }
}
