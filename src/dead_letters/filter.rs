//! Which letters are meant.

use std::collections::HashSet;

use super::{Letter, LetterId};
use crate::pipeline::tag_pattern::TagPatterns;

/// A letter is meant if everything that is set holds; without anything, every letter is.
#[derive(Debug, Default)]
pub struct Filter {
    /// These and no others; empty: any.
    pub ids: HashSet<LetterId>,
    /// A part of the reason.
    pub reason: Option<String>,
    /// A part of the sender's identity.
    pub sender: Option<String>,
    pub tags: Option<TagPatterns>,
    /// The id of the output that gave it up.
    pub output: Option<String>,
    /// Received then or later.
    pub since: Option<jiff::Timestamp>,
    /// Received before.
    pub until: Option<jiff::Timestamp>,
}

impl Filter {
    /// Whether a letter is meant.
    pub fn takes(&self, id: LetterId, letter: &Letter) -> bool {
        let holds =
            |part: &Option<String>, text: &str| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
        (self.ids.is_empty() || self.ids.contains(&id))
            && holds(&self.reason, &letter.reason)
            && holds(&self.sender, &letter.sender)
            && self.tags.as_ref().is_none_or(|tags| tags.matches(&letter.tag))
            && self.output.as_ref().is_none_or(|output| letter.output.as_ref() == Some(output))
            && self.since.is_none_or(|since| letter.received_at >= since)
            && self.until.is_none_or(|until| letter.received_at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_set_must_hold_and_times_are_from_and_before() {
        let line = br#"{"position":"1:64","reason":"no array","sender":"CN=engine-1","tag":"nginx.access",
            "received_at":"2026-02-17T01:00:00Z","chunk":null,"output":"upstream","msgpack":"gA=="}"#;
        let (id, letter) = (LetterId::of(line), Letter::parse(line).unwrap());
        let text = |text: &str| Some(text.to_owned());
        let time = |text: &str| Some(text.parse().unwrap());
        let tags = |text: &str| Some(TagPatterns::parse(text).unwrap());
        let taken = [
            Filter::default(),
            Filter { ids: HashSet::from([LetterId::of(b""), id]), ..Filter::default() },
            Filter { reason: text("array"), sender: text("engine-1"), ..Filter::default() },
            Filter { tags: tags("nginx.**"), output: text("upstream"), ..Filter::default() },
            Filter { since: time("2026-02-17T01:00:00Z"), ..Filter::default() },
            Filter { until: time("2026-02-17T01:00:00.000000001Z"), ..Filter::default() },
        ];
        assert!(taken.iter().all(|filter| filter.takes(id, &letter)));
        let left = [
            Filter { ids: HashSet::from([LetterId::of(b"")]), ..Filter::default() },
            Filter { reason: text("array"), sender: text("engine-2"), ..Filter::default() },
            Filter { tags: tags("app.**"), ..Filter::default() },
            Filter { output: text("up"), ..Filter::default() },
            Filter { since: time("2026-02-17T01:00:00.000000001Z"), ..Filter::default() },
            Filter { until: time("2026-02-17T01:00:00Z"), ..Filter::default() },
        ];
        assert!(!left.iter().any(|filter| filter.takes(id, &letter)));
    }
}
