//! The events of a chunk that are for one output, filtered.

use std::sync::Arc;

use super::event::{Event, Source};
use super::failures::Failure;
use super::filter::{Context, Draft, Scratch, Waiting};
use super::fork::Fork;
use super::metadata::{MetadataMerger, OpenGroup};
use super::ownership::{Claim, KnownSenders};
use super::record::RecordBuffer;
use super::records::Records;
use super::route::Decision;
use super::shared::Shared;
use super::tag_decisions::TagDecisions;
use super::tally::Tally;
use super::throttle_state::ThrottleState;
use super::walk::Walk;
use crate::journal::Position;
use crate::planted::{Bug, is_planted};
use crate::wire::entry::Item;

/// Picks and filters events for one output. Keeps its memory from chunk to chunk.
#[derive(Debug)]
pub struct Selector {
    /// What is used in place of this one before a position, ascending.
    pub(super) earlier: Vec<(Position, Self)>,
    /// Which of those was used last; it has the counts of throttle filters.
    in_use: Option<usize>,
    shared: Arc<Shared>,
    decisions: TagDecisions,
    buffer: RecordBuffer,
    scratch: Scratch,
    /// What each filter holds back until it has seen the next events of the chunk.
    waiting: Vec<Waiting>,
    fork: Fork,
    merger: MetadataMerger,
    senders: KnownSenders,
}

impl Selector {
    pub(super) fn new(shared: Arc<Shared>, output: usize) -> Self {
        Self {
            earlier: Vec::new(),
            in_use: None,
            decisions: TagDecisions::new(&shared, output),
            buffer: RecordBuffer::default(),
            scratch: Scratch::default(),
            waiting: shared.filters.iter().map(|_| Waiting::default()).collect(),
            fork: Fork::default(),
            merger: MetadataMerger::default(),
            senders: KnownSenders::default(),
            shared,
        }
    }

    /// The one for what lies at a position: after a change of the configuration, `fallback` takes more for a while.
    pub fn at(&mut self, position: Position) -> &mut Self {
        let index = self.earlier.iter().position(|(until, _)| position < *until);
        if index != self.in_use {
            // All have the same filters: the counts go along.
            let throttle = std::mem::take(self.throttle_in_use());
            self.in_use = index;
            *self.throttle_in_use() = throttle;
        }
        match index {
            Some(index) => &mut self.earlier[index].1,
            None => self,
        }
    }

    fn throttle_in_use(&mut self) -> &mut ThrottleState {
        match self.in_use {
            Some(index) => &mut self.earlier[index].1.scratch.throttle,
            None => &mut self.scratch.throttle,
        }
    }

    /// Whether any event of this tag from this input can be for this output. Cheap: readers skip whole chunks by it.
    pub fn wants(&mut self, input: &str, tag: &[u8]) -> bool {
        self.decisions.decide(&self.shared, self.shared.pipelines.entry(input), tag).wants
    }

    /// Whether every event of this tag from this input is for this output, as it is. Then [`for_each`](Self::for_each) would
    /// change nothing, metadata that is added apart ([`adds_metadata`](Self::adds_metadata)), and need not be asked.
    /// Never where the input holds its senders to what they may write: that takes a look at every event.
    pub fn passes_whole(&mut self, input: &str, tag: &[u8]) -> bool {
        let decision = self.decisions.decide(&self.shared, self.shared.pipelines.entry(input), tag);
        decision.take == Decision::Always
            && decision.filters.is_empty()
            && !self.shared.ownership.binds(input)
    }

    /// Whether the records of an input get a field with what metadata there is.
    pub fn adds_metadata(&self, input: &str) -> bool {
        self.shared.metadata_fields.contains_key(input)
    }

    /// What filters could not do in the last walk over a chunk, or a piece of one.
    pub fn failures(&self) -> &[Failure] {
        self.scratch.failures.found()
    }

    /// What `throttle` filters have counted so far; to be saved with how far the output has come.
    pub fn throttled(&self) -> &ThrottleState {
        match self.in_use {
            Some(index) => &self.earlier[index].1.scratch.throttle,
            None => &self.scratch.throttle,
        }
    }

    /// Goes on with the counts that were saved where the output starts to read; `None`: none were, and nothing is counted.
    /// Those of filters that are no more are left out. Bytes that a newer version wrote count for nothing, with a warning.
    pub fn resume(&mut self, encoded: Option<&[u8]>) {
        let is_known = |identity: &_| self.shared.filters.iter().any(|it| it.counts_as() == Some(identity));
        let state =
            encoded.map_or_else(|| Some(ThrottleState::default()), |it| ThrottleState::decode(it, is_known));
        if state.is_none() {
            tracing::warn!(
                "a cursor holds counts of throttle filters that this hikyaku can't read: their windows begin anew"
            );
        }
        *self.throttle_in_use() = state.unwrap_or_default();
    }

    /// Goes on with counts that it had before.
    pub(crate) fn restore(&mut self, throttled: ThrottleState) {
        *self.throttle_in_use() = throttled;
    }

    /// Walks over a run of entries in plain (inflated) msgpack, and hands those that are for this output to `sink`, in
    /// their order, as the filters left them.
    ///
    /// # Errors
    ///
    /// What `sink` returns; the events behind that one are not looked at.
    pub fn for_each<E>(
        &mut self,
        source: &Source<'_>,
        entries: &[u8],
        sink: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<Tally, E> {
        self.for_each_from(source, 0, entries, sink)
    }

    /// As [`for_each`](Self::for_each), for a piece of a large chunk whose first entry has this index. A piece that
    /// begins within a group begins with the group's start mark.
    ///
    /// # Errors
    ///
    /// What `sink` returns; the events behind that one are not looked at.
    pub fn for_each_from<E>(
        &mut self,
        source: &Source<'_>,
        first: u32,
        entries: &[u8],
        mut sink: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<Tally, E> {
        let entry = self.shared.pipelines.entry(source.input);
        let decision = self.decisions.decide(&self.shared, entry, source.tag);
        let metadata_field = self.shared.metadata_fields.get(source.input);
        let claims = self.senders.claims(&self.shared.ownership, source);
        let passes_filters_by = first > 0 && is_planted(Bug::UnfilteredPieces);
        let first_filter = if passes_filters_by { self.shared.filters.len() } else { 0 };
        let mut group = OpenGroup::default();
        let mut tally = Tally::default();
        // A walk that ended early may have left something.
        self.waiting.iter_mut().for_each(Waiting::clear);
        self.fork.close();
        self.scratch.failures.clear();
        let mut walk = Walk {
            shared: &self.shared,
            decisions: &mut self.decisions,
            scratch: &mut self.scratch,
            waiting: &mut self.waiting,
            fork: &mut self.fork,
            claims: claims.as_deref(),
            tally: &mut tally,
            sink: &mut sink,
        };
        let mut records = Records::new(entries);
        for index in 0u32.. {
            let Some(item) = records.next(&mut self.buffer) else { break };
            let entry = match item {
                Ok(Item::Event(entry)) => entry,
                Ok(Item::Mark(mark)) => {
                    group.apply(mark);
                    continue;
                }
                Ok(Item::Bad(_)) | Err(_) => {
                    walk.tally.bad += 1;
                    continue;
                }
            };
            if !decision.wants {
                walk.tally.left += 1;
                continue;
            }
            let context = Context {
                source,
                server: &self.shared.server,
                time: entry.time.unwrap_or(source.received_at),
                metadata: entry.metadata,
                index: first.wrapping_add(index),
            };
            let mut record = self.buffer.listed(entry.record);
            if let Some(field) = metadata_field
                && let Some(metadata) = self.merger.merge(entry.metadata, &group)
            {
                record.set(field, metadata);
            }
            let mut draft = Draft { context, record, is_invalid: false, claim: Claim::Fits };
            if let Some(claims) = &claims {
                draft.stands(claims.check(draft.record.fields()));
            }
            walk.pass(draft, &decision, first_filter)?;
        }
        walk.finish(source)?;
        Ok(tally)
    }
}

#[cfg(test)]
mod tests;
