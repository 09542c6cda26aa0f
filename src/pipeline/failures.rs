//! Events that filters could not do their work on.

/// What one filter could not do in one walk over a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The place of the filter in the configuration, from 1, as `hikyaku explain` counts them.
    pub filter: usize,
    /// The `type` of the filter.
    pub kind: &'static str,
    pub events: u64,
}

/// The failures of the walk at hand. Empty where all is well, so that they cost nothing then.
#[derive(Debug, Default)]
pub(super) struct Failures {
    found: Vec<Failure>,
    /// Whether the event at hand comes by for the second time.
    repeats: bool,
}

impl Failures {
    /// Counts an event that a filter failed on.
    #[cold]
    pub(super) fn count(&mut self, filter: usize, kind: &'static str) {
        if self.repeats {
            return;
        }
        match self.found.iter_mut().find(|known| known.filter == filter) {
            Some(known) => known.events += 1,
            None => self.found.push(Failure { filter, kind, events: 1 }),
        }
    }

    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.repeats = false;
    }

    /// Whether what comes from here on was counted before.
    pub(super) fn repeat(&mut self, repeats: bool) {
        self.repeats = repeats;
    }

    pub(super) fn found(&self) -> &[Failure] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::config::Config;
    use crate::event_time::EventTime;
    use crate::pipeline::{Pipeline, Source};

    const ENDS: &str = "[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n\
        [[output]]\nid = 'invalid'\ntype = 'file'\npath = '/invalid'\ninvalid = true\n\
        [[output]]\nid = 'rest'\ntype = 'file'\npath = '/rest'\nfallback = true\n";

    /// What fails on the way to an output: of three records, `{}`, `{"x": "1"}` and `{"x": "?"}`.
    fn failures(output: &str, sections: &str) -> Vec<Failure> {
        let config = Config::parse(&format!("{ENDS}{sections}"), None, &|_| None).unwrap();
        let pipeline = Pipeline::new(&config.filters, &config.outputs, "s").with_inputs(&config.inputs);
        let mut selector = pipeline.selector(output).unwrap();
        let source = Source { input: "edge", ..Source::of_engine(b"t", EventTime::from_unix_nanoseconds(0)) };
        let entries = b"\x92\x01\x80\x92\x01\x81\xa1x\xa11\x92\x01\x81\xa1x\xa1?";
        for _ in 0..2 {
            let Ok(_) = selector.for_each(&source, entries, |_| Ok::<_, Infallible>(()));
        }
        let mut failures = selector.failures().to_vec();
        failures.sort_unstable_by_key(|failure| failure.filter);
        failures
    }

    fn filter(keys: &str) -> String {
        format!("[[filter]]\n{keys}\n")
    }

    fn failure(filter: usize, kind: &'static str, events: u64) -> Failure {
        Failure { filter, kind, events }
    }

    #[test]
    fn each_filter_has_a_count_of_its_own_and_each_walk_begins_anew() {
        let set = filter("type = 'set'\nfields = { y = 1 }");
        let parse = filter("type = 'parse'\nfield = 'x'\nformat = 'regex'\nregex = '^(?<d>[0-9])$'");
        let time = filter("type = 'time'\nfield = 'd'\nformats = ['rfc3339']");
        let validate = filter("type = 'validate'\nrequired = ['d']");
        // The time is none where there is something; two of three events have no `d`.
        assert_eq!(
            failures("rest", &[&set, &parse, &time, &validate].map(String::as_str).concat()),
            [failure(2, "parse", 1), failure(3, "time", 1), failure(4, "validate", 2)]
        );
        assert_eq!(failures("rest", &set), []);
    }

    #[test]
    fn where_ways_part_an_event_counts_once_on_each_of_them() {
        let relabel = filter("type = 'relabel'\nto = ['a', 'b']");
        let judge = |pipeline: &str| {
            filter(&format!(
                "pipeline = '{pipeline}'\ntype = 'validate'\nrequired = ['x']\ntypes = {{ x = 'integer' }}"
            ))
        };
        let sections = [relabel, judge("a"), judge("b")].concat();
        assert_eq!(failures("invalid", &sections), [failure(2, "validate", 3), failure(3, "validate", 3)]);
    }

    #[cfg(feature = "remap")]
    #[test]
    fn programs_fail_whatever_becomes_of_the_event_and_to_abort_is_no_failure() {
        for end in ["keep", "field", "drop", "invalid"] {
            let program = "source = '''\nif !exists(.x) { abort }\n.n = to_int!(.x)\n'''";
            let remap = filter(&format!("type = 'remap'\non_error = '{end}'\n{program}"));
            assert_eq!(failures("rest", &remap), [failure(1, "remap", 1)], "{end}");
        }
    }
}
