//! Named pipelines: every name leads somewhere, every pipeline is come to, and no event goes in circles or comes twice.

use std::collections::BTreeMap;

use super::Table;
use super::document::did_you_mean;
use crate::config::{FilterConfig, FilterKind, InputConfig, OutputConfig, OutputTake};

/// A pipeline by its name; `None` is the default one.
type Name<'c> = Option<&'c str>;

/// Reports what is wrong with the pipelines of a file.
pub(super) fn check(
    inputs: &[(&Table<'_>, &InputConfig)],
    filters: &[(&Table<'_>, &FilterConfig)],
    outputs: &[(&Table<'_>, &OutputConfig)],
) {
    let graph = Graph::new(inputs, filters, outputs);
    let unknown = graph.report_unknown(inputs, filters);
    let loops = !unknown && graph.report_loops(filters);
    if unknown || loops {
        return;
    }
    graph.report_unreached(filters, outputs);
    graph.report_meetings(filters);
    graph.report_late_multiline(filters);
}

struct Graph<'c> {
    /// The names that filters and outputs have.
    names: Vec<&'c str>,
    /// Where events begin.
    entries: Vec<Name<'c>>,
    /// Where `relabel` filters send them.
    next: BTreeMap<Name<'c>, Vec<&'c str>>,
}

impl<'c> Graph<'c> {
    fn new(
        inputs: &[(&Table<'_>, &'c InputConfig)],
        filters: &[(&Table<'_>, &'c FilterConfig)],
        outputs: &[(&Table<'_>, &'c OutputConfig)],
    ) -> Self {
        let of_filters = filters.iter().filter_map(|(_, filter)| filter.pipeline.as_deref());
        let of_outputs = outputs.iter().filter_map(|(_, output)| output.pipeline.as_deref());
        let mut next: BTreeMap<Name<'c>, Vec<&'c str>> = BTreeMap::new();
        for (_, filter) in filters {
            if let FilterKind::Relabel { to } = &filter.kind {
                next.entry(filter.pipeline.as_deref()).or_default().extend(to.iter().map(String::as_str));
            }
        }
        Self {
            names: of_filters.chain(of_outputs).collect(),
            entries: inputs.iter().map(|(_, input)| input.pipeline.as_deref()).collect(),
            next,
        }
    }

    /// Names of which there is no pipeline; whether there are any.
    fn report_unknown(
        &self,
        inputs: &[(&Table<'_>, &InputConfig)],
        filters: &[(&Table<'_>, &FilterConfig)],
    ) -> bool {
        let mut found = false;
        let mut look_up = |table: &Table<'_>, key: &str, name: &str| {
            if !self.names.contains(&name) {
                let suggestion = did_you_mean(name, self.names.iter().copied());
                table.report(key, format!("no filter and no output has the pipeline `{name}`{suggestion}"));
                found = true;
            }
        };
        for (table, input) in inputs {
            input.pipeline.iter().for_each(|name| look_up(table, "pipeline", name));
        }
        for (table, filter) in filters {
            if let FilterKind::Relabel { to } = &filter.kind {
                to.iter().for_each(|name| look_up(table, "to", name));
            }
        }
        found
    }

    fn report_loops(&self, filters: &[(&Table<'_>, &FilterConfig)]) -> bool {
        let mut found = false;
        for (table, filter) in filters {
            let FilterKind::Relabel { to } = &filter.kind else { continue };
            let Some(from) = filter.pipeline.as_deref() else { continue };
            if let Some(to) = to.iter().find(|to| self.reached(Some(to)).contains(&Some(from))) {
                table.report("to", format!("a loop: from `{to}` events come back to `{from}`"));
                found = true;
            }
        }
        found
    }

    fn report_unreached(
        &self,
        filters: &[(&Table<'_>, &FilterConfig)],
        outputs: &[(&Table<'_>, &OutputConfig)],
    ) {
        let reached: Vec<_> = self.entries.iter().flat_map(|entry| self.reached(*entry)).collect();
        let filters = filters.iter().map(|(table, filter)| (*table, filter.pipeline.as_deref()));
        let outputs = outputs.iter().filter(|(_, output)| matches!(output.take, OutputTake::Match { .. }));
        let outputs = outputs.map(|(table, output)| (*table, output.pipeline.as_deref()));
        let mut reported = Vec::new();
        for (table, pipeline) in filters.chain(outputs) {
            if reached.contains(&pipeline) || reported.contains(&pipeline) {
                continue;
            }
            reported.push(pipeline);
            match pipeline {
                Some(name) => table.report(
                    "pipeline",
                    format!(
                        "no event comes to the pipeline `{name}`: give it to an input, or to a filter of type relabel"
                    ),
                ),
                None => table.report(
                    "",
                    "no event comes to the default pipeline, since every input has a `pipeline`: give this one too",
                ),
            };
        }
    }

    /// Copies of one event must not come together again.
    fn report_meetings(&self, filters: &[(&Table<'_>, &FilterConfig)]) {
        for (table, filter) in filters {
            let FilterKind::Relabel { to } = &filter.kind else { continue };
            for (index, one) in to.iter().enumerate() {
                let of_one = self.reached(Some(one));
                let meeting = to[..index].iter().find_map(|other| {
                    let both = self.reached(Some(other)).into_iter().find(|name| of_one.contains(name));
                    both.flatten().map(|both| (other, both))
                });
                if let Some((other, both)) = meeting {
                    table.report(
                        "to",
                        format!("an event would come to `{both}` twice, by way of `{other}` and of `{one}`"),
                    );
                }
            }
        }
    }

    /// Behind a `relabel` some events of a chunk would wait for lines while others go by, and outputs rely on the order.
    fn report_late_multiline(&self, filters: &[(&Table<'_>, &FilterConfig)]) {
        let targets: Vec<_> = self.next.values().flatten().copied().collect();
        for (index, (table, filter)) in filters.iter().enumerate() {
            let pipeline = filter.pipeline.as_deref();
            let relabels = |(_, earlier): &(&Table<'_>, &FilterConfig)| {
                earlier.pipeline.as_deref() == pipeline && matches!(earlier.kind, FilterKind::Relabel { .. })
            };
            let is_behind =
                pipeline.is_some_and(|name| targets.contains(&name)) || filters[..index].iter().any(relabels);
            if matches!(filter.kind, FilterKind::Multiline(_)) && is_behind {
                table.report(
                    "type",
                    "`multiline` behind a `relabel` would put events out of order; put it in front, with a `match`",
                );
            }
        }
    }

    /// A pipeline, and all that its events can come to; each once.
    fn reached(&self, from: Name<'c>) -> Vec<Name<'c>> {
        let mut reached = vec![from];
        let mut at = 0;
        while let Some(name) = reached.get(at).copied() {
            for next in self.next.get(&name).into_iter().flatten() {
                if !reached.contains(&Some(next)) {
                    reached.push(Some(next));
                }
            }
            at += 1;
        }
        reached
    }
}
