//! What follows from a pipeline and a tag alone, remembered by both.

use std::collections::HashMap;
use std::sync::Arc;

use super::route::Decision;
use super::shared::Shared;

/// How many tags' decisions are remembered for each pipeline; when there are more it starts over.
pub(super) const MAX_REMEMBERED_TAGS: usize = 10_000;

/// The longest tag, in bytes, that is remembered; what longer ones mean is worked out each time.
pub(super) const MAX_REMEMBERED_TAG: usize = 1024;

/// All that follows from a tag in a pipeline.
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
    /// By pipeline: whether its events can come to where the output sees them.
    leads: Vec<bool>,
    /// By pipeline and tag.
    remembered: Vec<HashMap<Vec<u8>, Arc<TagDecision>>>,
}

impl TagDecisions {
    pub(super) fn new(shared: &Shared, output: usize) -> Self {
        let pipelines = &shared.pipelines;
        let its = shared.routes.pipeline(output);
        let leads = |from| its.is_none_or(|its| pipelines.leads(from, its));
        Self {
            output,
            leads: (0..pipelines.count()).map(leads).collect(),
            remembered: vec![HashMap::new(); pipelines.count()],
        }
    }

    /// The output that they are for.
    pub(super) fn output(&self) -> usize {
        self.output
    }

    /// Whether events of a pipeline can come to where the output sees them.
    pub(super) fn leads(&self, pipeline: usize) -> bool {
        self.leads[pipeline]
    }

    pub(super) fn decide(&mut self, shared: &Shared, pipeline: usize, tag: &[u8]) -> Arc<TagDecision> {
        if let Some(decision) = self.remembered[pipeline].get(tag) {
            return decision.clone();
        }
        let text = String::from_utf8_lossy(tag);
        let all = &shared.filters;
        let is_here = |index: &usize| all[*index].pipeline == pipeline;
        // Events of another tag must not overtake those that wait for lines: all of a chunk pass by there.
        let mixes = |index: usize| {
            all[index].multiline().is_some() && (0..index).filter(is_here).any(|index| all[index].retags())
        };
        let mut filters: Vec<_> = (0..all.len())
            .filter(is_here)
            .filter(|index| all[*index].tags.matches(&text) || mixes(*index))
            .collect();
        let take = shared.routes.decide(self.output, pipeline, &text);
        let takes_invalid = shared.routes.takes_invalid(self.output);
        // An event with a new tag can be anybody's.
        let wants = take != Decision::Never
            || filters.iter().any(|index| all[*index].retags())
            || (takes_invalid
                && (!shared.ownership.is_empty() || filters.iter().any(|index| all[*index].judges())))
            || filters.iter().filter_map(|index| all[*index].relabel()).any(|relabel| {
                // Of a tag that is not remembered the same would be asked again and again.
                let is_forgotten = tag.len() > MAX_REMEMBERED_TAG;
                let mut to = relabel.to.iter();
                to.any(|to| self.leads[*to] && (is_forgotten || self.decide(shared, *to, tag).wants))
            });
        if shared.routes.pipeline(self.output).is_some_and(|its| its != pipeline) {
            // What stays in this pipeline is not the output's, so that nothing matters behind the last way out.
            let is_way_out = |index: &usize| all[*index].retags() || all[*index].relabel().is_some();
            filters.truncate(filters.iter().rposition(is_way_out).map_or(0, |last| last + 1));
        }
        // What one output counts, all have to whose ways lead there.
        let wants = wants || filters.iter().any(|index| all[*index].counts_as().is_some());
        let decision = Arc::new(TagDecision { filters, take, wants });
        if tag.len() <= MAX_REMEMBERED_TAG {
            let remembered = &mut self.remembered[pipeline];
            if remembered.len() >= MAX_REMEMBERED_TAGS {
                remembered.clear();
            }
            remembered.insert(tag.to_vec(), decision.clone());
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn remembered_tags_are_bounded() {
        let outputs = Config::development().unwrap().outputs;
        let shared = Shared::new(&[], &outputs, "");
        let mut decisions = TagDecisions::new(&shared, 0);
        let wants = |decisions: &mut TagDecisions, tag: &str| {
            decisions.decide(&shared, 0, tag.as_bytes());
            decisions.remembered[0].len()
        };
        for number in 0..MAX_REMEMBERED_TAGS {
            wants(&mut decisions, &format!("a.{number}"));
        }
        assert_eq!(decisions.remembered[0].len(), MAX_REMEMBERED_TAGS);
        assert_eq!(wants(&mut decisions, "a.one.more"), 1);
        for (length, remembered) in [(MAX_REMEMBERED_TAG, 2), (MAX_REMEMBERED_TAG + 1, 2)] {
            assert_eq!(wants(&mut decisions, &"x".repeat(length)), remembered);
        }
    }
}
