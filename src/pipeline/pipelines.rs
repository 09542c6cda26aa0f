//! Named pipelines: which filters and outputs are in which, and which leads where.
//!
//! The default pipeline is number 0. A `relabel` filter moves an event to the front of another pipeline, or of several.
//! Loading makes sure that there are no loops, and that an event comes to a pipeline once at most.

use std::collections::HashMap;

use crate::config::{FilterConfig, FilterKind, InputConfig, OutputConfig};

/// The pipelines of a configuration, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipelines {
    names: Vec<String>,
    /// Where events of an input begin, by its `id`, if not in the default pipeline.
    entries: HashMap<String, usize>,
    /// For each pipeline those that its filters hand events to.
    next: Vec<Vec<usize>>,
}

impl Pipelines {
    pub(super) fn new(filters: &[FilterConfig], outputs: &[OutputConfig]) -> Self {
        let mut pipelines = Self { names: Vec::new(), entries: HashMap::new(), next: Vec::new() };
        let of_filters = filters.iter().filter_map(|filter| filter.pipeline.as_ref());
        let of_outputs = outputs.iter().filter_map(|output| output.pipeline.as_ref());
        for name in of_filters.chain(of_outputs) {
            if !pipelines.names.contains(name) {
                pipelines.names.push(name.clone());
            }
        }
        pipelines.next = vec![Vec::new(); pipelines.count()];
        for filter in filters {
            if let FilterKind::Relabel { to } = &filter.kind {
                let from = pipelines.find(filter.pipeline.as_deref());
                let to: Vec<_> = to.iter().map(|name| pipelines.find(Some(name))).collect();
                pipelines.next[from].extend(to);
            }
        }
        pipelines
    }

    pub(super) fn with_inputs(mut self, inputs: &[InputConfig]) -> Self {
        let named = inputs.iter().filter_map(|input| Some((input.id.clone(), input.pipeline.as_deref()?)));
        self.entries = named.map(|(id, name)| (id, self.find(Some(name)))).collect();
        self
    }

    /// The default pipeline included.
    pub(super) fn count(&self) -> usize {
        self.names.len() + 1
    }

    /// The number of a pipeline. Loading refuses names that no filter and no output has.
    pub(super) fn find(&self, name: Option<&str>) -> usize {
        name.and_then(|name| self.names.iter().position(|known| known == name)).map_or(0, |index| index + 1)
    }

    /// Where events of an input begin.
    #[inline]
    pub(super) fn entry(&self, input: &str) -> usize {
        if self.entries.is_empty() { 0 } else { self.entries.get(input).copied().unwrap_or(0) }
    }

    /// Whether events come from one pipeline to the other, or are in it already.
    pub(super) fn leads(&self, from: usize, to: usize) -> bool {
        let mut reached = vec![from];
        let mut at = 0;
        while let Some(pipeline) = reached.get(at).copied() {
            for next in &self.next[pipeline] {
                if !reached.contains(next) {
                    reached.push(*next);
                }
            }
            at += 1;
        }
        reached.contains(&to)
    }
}
