//! An event while filters work on it.

use super::parse::ParseScratch;
use crate::event_time::EventTime;
use crate::journal::Position;
use crate::pipeline::event::{Event, Source};
use crate::pipeline::failures::Failures;
use crate::pipeline::ownership::{Claim, Held};
use crate::pipeline::record::RecordEditor;
#[cfg(feature = "remap")]
use crate::pipeline::remap::RemapScratch;
use crate::pipeline::template::ValueRenderer;
use crate::pipeline::throttle_state::ThrottleState;

/// What is known about an event beside its record.
#[derive(Debug, Clone, Copy)]
pub(in crate::pipeline) struct Context<'a> {
    /// With the tag as the filters so far left it.
    pub(in crate::pipeline) source: &'a Source<'a>,
    pub(in crate::pipeline) server: &'a str,
    /// As the filters so far left it.
    pub(in crate::pipeline) time: EventTime,
    pub(in crate::pipeline) metadata: Option<&'a [u8]>,
    pub(in crate::pipeline) index: u32,
}

/// An event on its way through the filters.
#[derive(Debug)]
pub(in crate::pipeline) struct Draft<'a> {
    pub(in crate::pipeline) context: Context<'a>,
    pub(in crate::pipeline) record: RecordEditor<'a>,
    /// Whether a filter found it invalid: it goes to the output with `invalid = true` and to no other.
    pub(in crate::pipeline) is_invalid: bool,
    /// How it stands to what its sender may write.
    pub(in crate::pipeline) claim: Claim,
}

impl Draft<'_> {
    /// The event as it is now.
    #[inline]
    pub(in crate::pipeline) fn event(&self) -> Event<'_> {
        let Context { source, server, time, metadata, index } = self.context;
        Event { source, server, time, metadata, record: self.record.fields(), index }
    }

    /// Takes note of how it stands to what its sender may write; what is disowned stays so, and is invalid.
    pub(in crate::pipeline) fn stands(&mut self, claim: Claim) {
        if !self.is_disowned() {
            self.claim = claim;
            self.is_invalid |= self.is_disowned();
        }
    }

    /// Whether it is not its sender's to write.
    pub(in crate::pipeline) fn is_disowned(&self) -> bool {
        matches!(self.claim, Claim::Disowned(..))
    }

    /// What tells this event from every other one of the journal: where its chunk begins, and its place in there.
    pub(super) fn place(&self) -> [u8; 20] {
        let Position { segment, offset, .. } = self.context.source.position;
        let mut place = [0; 20];
        place[..8].copy_from_slice(&segment.to_be_bytes());
        place[8..16].copy_from_slice(&offset.to_be_bytes());
        place[16..].copy_from_slice(&self.context.index.to_be_bytes());
        place
    }
}

/// What becomes of an event behind a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Verdict {
    /// The next filter has it.
    Passes,
    /// It ends here.
    Dropped,
    /// It has a new tag, in [`Scratch::tag`], which decides about the filters from here on.
    Retagged,
    /// It goes on at the front of other pipelines, which the filter names.
    Relabelled,
    /// It waits for the lines that belong to it.
    Waits,
    /// It is part of an event that waits.
    Joined,
}

/// Memory that filters use from event to event, so that none is allocated for each.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Scratch {
    pub(in crate::pipeline) renderer: ValueRenderer,
    /// The tag that a filter gave.
    pub(in crate::pipeline) tag: Vec<u8>,
    /// What bound fields held before a filter.
    pub(in crate::pipeline) held: Held,
    /// An encoded value in the making.
    pub(super) value: Vec<u8>,
    /// Text in the making.
    pub(super) text: Vec<u8>,
    /// More text in the making.
    pub(super) more: Vec<u8>,
    pub(super) parse: ParseScratch,
    /// What filters could not do since the chunk began.
    pub(in crate::pipeline) failures: Failures,
    /// What `throttle` filters have counted. It outlives events and chunks.
    pub(in crate::pipeline) throttle: ThrottleState,
    #[cfg(feature = "remap")]
    pub(super) remap: RemapScratch,
}
