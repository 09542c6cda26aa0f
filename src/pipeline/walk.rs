//! The way of one event through the filters to an output.

use super::event::{Event, Source};
use super::filter::{Context, Draft, Scratch, Verdict, Waiting};
use super::ownership::{Claim, Claims};
use super::selector::{Shared, Tally};
use super::tag_decisions::{TagDecision, TagDecisions};

/// What events meet on their way.
pub(super) struct Walk<'w, S> {
    pub(super) shared: &'w Shared,
    pub(super) decisions: &'w mut TagDecisions,
    pub(super) scratch: &'w mut Scratch,
    /// What each filter holds back.
    pub(super) waiting: &'w mut [Waiting],
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
            match self.apply(index, &mut draft) {
                Verdict::Passes => {}
                Verdict::Dropped => {
                    self.tally.dropped += 1;
                    return Ok(());
                }
                Verdict::Retagged => return self.pass_with_new_tag(draft, index + 1),
                Verdict::Waits => return self.release(index, draft.context.source),
                Verdict::Joined => {
                    self.tally.joined += 1;
                    return Ok(());
                }
            }
        }
        self.deliver(draft, decision)
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

    /// Goes on with the tag that a filter gave. Filters only ever come behind that one, so this ends.
    fn pass_with_new_tag<E>(&mut self, draft: Draft<'_>, first: usize) -> Result<(), E>
    where
        S: FnMut(&Event<'_>) -> Result<(), E>,
    {
        let tag = std::mem::take(&mut self.scratch.tag);
        let source = Source { tag: &tag, ..*draft.context.source };
        let decision = self.decisions.decide(self.shared, &tag);
        let context = Context { source: &source, ..draft.context };
        let result = self.pass(Draft { context, ..draft }, &decision, first);
        self.scratch.tag = tag;
        result
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
                let decision = self.decisions.decide(shared, draft.context.source.tag);
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
        if takes {
            (self.sink)(&event)?;
            self.tally.taken += 1;
            if let Claim::Disowned(reason, _) = draft.claim {
                self.tally.disowned.add(reason);
            }
        } else {
            self.tally.left += 1;
        }
        Ok(())
    }
}
