//! The way of one event through the filters to an output.

use super::event::{Event, Source};
use super::filter::{Context, Draft, Scratch, Verdict, Waiting};
use super::fork::{AtEnd, Copy, Fate, Fork};
use super::ownership::{Claim, Claims};
use super::shared::Shared;
use super::tag_decisions::{TagDecision, TagDecisions};
use super::tally::Tally;

/// What events meet on their way.
pub(super) struct Walk<'w, S> {
    pub(super) shared: &'w Shared,
    pub(super) decisions: &'w mut TagDecisions,
    pub(super) scratch: &'w mut Scratch,
    /// What each filter holds back.
    pub(super) waiting: &'w mut [Waiting],
    pub(super) fork: &'w mut Fork,
    /// What the sender may write; `None`: anything.
    pub(super) claims: Option<&'w Claims>,
    pub(super) tally: &'w mut Tally,
    pub(super) sink: &'w mut S,
}

impl<S> Walk<'_, S> {
    /// Passes an event through the filters from `first` on, as far as their `match` takes its tag, and hands it to the
    /// sink if it is the output's.
    ///
    /// # Errors
    ///
    /// What the sink returns.
    pub(super) fn pass<E>(
        &mut self,
        mut draft: Draft<'_>,
        decision: &TagDecision,
        first: usize,
    ) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        for index in decision.filters.iter().copied().filter(|index| *index >= first) {
            let verdict = match self.shared.filters[index].counts_as() {
                Some(_) => self.count(index, &mut draft),
                None => self.apply(index, &mut draft),
            };
            match verdict {
                Verdict::Passes => {}
                Verdict::Dropped => {
                    // While there are other ways they decide how it is counted.
                    if !self.fork.is_open() {
                        self.tally.dropped += 1;
                    }
                    return Ok(());
                }
                Verdict::Retagged => return self.pass_with_new_tag(draft, index),
                Verdict::Relabelled => return self.relabel(draft, index),
                Verdict::Waits => return self.release(index, draft.context.source),
                Verdict::Joined => {
                    self.tally.joined += 1;
                    return Ok(());
                }
            }
        }
        self.deliver(draft, decision)
    }

    /// What a filter says that counts events.
    fn count(&mut self, index: usize, draft: &mut Draft<'_>) -> Verdict {
        let (filter, scratch, waiting) =
            (&self.shared.filters[index], &mut *self.scratch, &mut self.waiting[index]);
        self.fork.once(|| filter.apply(draft, scratch, waiting))
    }

    /// Works on an event, and looks at what comes into the fields that bind its sender.
    #[inline]
    fn apply(&mut self, index: usize, draft: &mut Draft<'_>) -> Verdict {
        let watches = |_: &&Claims| self.shared.ownership.watches(index) && !draft.is_disowned();
        let claims = self.claims.filter(watches);
        if let Some(claims) = claims {
            claims.hold(draft.record.fields(), &mut self.scratch.held);
        }
        let verdict = self.shared.filters[index].apply(draft, self.scratch, &mut self.waiting[index]);
        if let Some(claims) = claims {
            draft.stands(claims.check_brought(draft.record.fields(), &self.scratch.held, draft.claim));
        }
        verdict
    }

    /// Goes on with the tag that the filter `index` gave. Filters only ever come behind that one, so this ends.
    fn pass_with_new_tag<E>(&mut self, draft: Draft<'_>, index: usize) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        let tag = std::mem::take(&mut self.scratch.tag);
        let source = Source { tag: &tag, ..*draft.context.source };
        let pipeline = self.shared.filters[index].pipeline;
        let decision = self.decisions.decide(self.shared, pipeline, &tag);
        let context = Context { source: &source, ..draft.context };
        let result = self.pass(Draft { context, ..draft }, &decision, index + 1);
        self.scratch.tag = tag;
        result
    }

    /// Goes on in the pipelines that the filter `index` names. There are no loops, so this ends.
    fn relabel<E>(&mut self, draft: Draft<'_>, index: usize) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        let shared = self.shared;
        let to = shared.filters[index].relabel().map_or(&[][..], |relabel| &relabel.to);
        let mut leading = to.iter().copied().filter(|to| self.decisions.leads(*to));
        match (leading.next(), leading.next()) {
            (None, _) => {
                self.tally.left += 1;
                Ok(())
            }
            (Some(to), None) => {
                let decision = self.decisions.decide(shared, to, draft.context.source.tag);
                self.pass(draft, &decision, 0)
            }
            _ => self.fork(&draft, to),
        }
    }

    /// Goes on in several pipelines, and takes the event once.
    fn fork<E>(&mut self, draft: &Draft<'_>, to: &[usize]) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        if self.fork.is_open() {
            return self.each_way(draft, to);
        }
        self.fork.scout();
        self.each_way(draft, to)?;
        match self.fork.fate(self.shared.routes.is_fallback(self.decisions.output())) {
            Fate::TakenAt(end) => {
                self.fork.deliver_at(end);
                self.scratch.failures.repeat(true);
                self.each_way(draft, to)?;
                self.scratch.failures.repeat(false);
                self.tally.taken += 1;
            }
            Fate::Left => self.tally.left += 1,
            Fate::Dropped => self.tally.dropped += 1,
        }
        self.fork.close();
        Ok(())
    }

    fn each_way<E>(&mut self, draft: &Draft<'_>, to: &[usize]) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        for pipeline in to.iter().copied() {
            let decision = self.decisions.decide(self.shared, pipeline, draft.context.source.tag);
            let mut copy = self.fork.spare.pop().unwrap_or_default();
            let Copy { record, buffer } = &mut copy;
            record.clear();
            draft.record.fields().write(record);
            let way = Draft {
                context: draft.context,
                record: buffer.open(record),
                is_invalid: draft.is_invalid,
                claim: draft.claim,
            };
            let passed = self.pass(way, &decision, 0);
            self.fork.spare.push(copy);
            passed?;
        }
        Ok(())
    }

    /// Passes on the messages of a multiline filter whose turn it is.
    fn release<E>(&mut self, index: usize, source: &Source<'_>) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        let shared = self.shared;
        let Some(multiline) = shared.filters[index].multiline() else { return Ok(()) };
        // Filters only ever come behind this one, so nobody misses what is taken out.
        let mut waiting = std::mem::take(&mut self.waiting[index]);
        let result = loop {
            let passed = waiting.next(multiline, source, &shared.server, |mut draft| {
                // Where lines join within a bound field, what they are together is what the sender claims.
                if let Some(claims) = self.claims.filter(|_| shared.ownership.watches(index)) {
                    draft.stands(claims.check(draft.record.fields()));
                }
                let pipeline = shared.filters[index].pipeline;
                let decision = self.decisions.decide(shared, pipeline, draft.context.source.tag);
                self.pass(draft, &decision, index + 1)
            });
            match passed {
                None => break Ok(()),
                Some(Err(error)) => break Err(error),
                Some(Ok(())) => {}
            }
        };
        self.waiting[index] = waiting;
        result
    }

    /// Passes on what still waits: the chunk ends here.
    ///
    /// # Errors
    ///
    /// What the sink returns.
    pub(super) fn finish<E>(&mut self, source: &Source<'_>) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        for index in 0..self.waiting.len() {
            self.waiting[index].complete();
            self.release(index, source)?;
        }
        Ok(())
    }

    fn deliver<E>(&mut self, mut draft: Draft<'_>, decision: &TagDecision) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        if let Some(claims) = self.claims {
            if draft.claim == Claim::Open {
                draft.stands(claims.check_filled(draft.record.fields()));
            }
            if let Claim::Disowned(reason, number) = draft.claim {
                let source = draft.context.source;
                self.shared.mark.write(&mut draft.record, claims, (reason, number), source);
            }
        }
        let event = draft.event();
        let routes = &self.shared.routes;
        let takes = match draft.is_invalid {
            true => routes.takes_invalid(self.decisions.output()),
            false => routes.takes(&decision.take, &event),
        };
        match self.fork.at_end(takes) {
            AtEnd::Decide if takes => {
                self.hand_over(&event, draft.claim)?;
                self.tally.taken += 1;
            }
            AtEnd::Decide => self.tally.left += 1,
            AtEnd::HandOver => self.hand_over(&event, draft.claim)?,
            AtEnd::Nothing => {}
        }
        Ok(())
    }

    fn hand_over<E>(&mut self, event: &Event<'_>, claim: Claim) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        (self.sink)(event)?;
        if let Claim::Disowned(reason, _) = claim {
            self.tally.disowned.add(reason);
        }
        Ok(())
    }
}
