//! The file that is being read, and the mistakes found in it so far.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use super::text::Environment;
use crate::config::error::Problem;
use crate::config::reference::{Default, Key, SECTIONS, Section};

/// What was read, or the knowledge that the reason why not is on record.
pub(super) type Read<T> = Result<T, Reported>;

/// Proof that a problem was reported, so that nothing is left out in silence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported(());

pub(super) struct Document<'a> {
    pub source: &'a str,
    pub environment: Environment<'a>,
    /// By section title and key.
    defaults: BTreeMap<(&'static str, &'static str), DeValue<'static>>,
    problems: RefCell<Vec<(usize, Problem)>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(source: &'a str, environment: Environment<'a>) -> Self {
        let mut defaults = BTreeMap::new();
        for section in SECTIONS {
            for key in section.keys {
                if let Default::Value(toml) = key.default
                    && let Ok(value) = DeValue::parse(toml)
                {
                    defaults.insert((section.title, key.name), value.into_inner());
                }
            }
        }
        Self { source, environment, defaults, problems: RefCell::default() }
    }

    /// What a key of a section is worth where the file leaves it out.
    pub(super) fn default_value(&self, section: &Section, key: &Key) -> Option<&DeValue<'static>> {
        std::iter::successors(Some(section), |section| section.extends)
            .find_map(|section| self.defaults.get(&(section.title, key.name)))
    }

    /// Puts a mistake at these bytes of the file on record.
    pub(super) fn report(&self, at: &Range<usize>, message: impl Into<String>) -> Reported {
        self.problems.borrow_mut().push((at.start, Problem::new(self.source, at, message.into())));
        Reported(())
    }

    /// What was reported, in the order of the file.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|(start, _)| *start);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// The candidate that was probably meant, as `; did you mean …?`.
pub(super) fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    closest(name, candidates).map(|candidate| format!("; did you mean `{candidate}`?")).unwrap_or_default()
}

/// The candidate that was probably meant.
pub(super) fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    /// Below this similarity a suggestion would puzzle more than help.
    const MIN_SIMILARITY: f64 = 0.8;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}
