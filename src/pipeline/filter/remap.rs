//! `type = "remap"`: a program in VRL.

use super::{Draft, Scratch, Verdict};
use crate::config::{RemapConfig, RemapEnd};
use crate::pipeline::remap::Outcome;
use crate::wire::msgpack::write_str;

#[derive(Debug)]
pub(super) struct Remap {
    config: RemapConfig,
}

impl Remap {
    pub(super) fn new(config: RemapConfig) -> Self {
        Self { config }
    }

    /// Whether the program may give another tag.
    pub(super) fn retags(&self) -> bool {
        self.config.program.retags()
    }

    /// An event whose program failed or was aborted is as it was before, but for the reason.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, scratch: &mut Scratch) -> Verdict {
        let RemapConfig { program, on_error, on_abort, reason } = &self.config;
        let (end, text) = match program.run(draft, &mut scratch.remap, &mut scratch.tag) {
            Outcome::Done => return Verdict::Passes,
            Outcome::Retagged => return Verdict::Retagged,
            Outcome::Aborted(text) => (on_abort, text),
            Outcome::Failed(text) => (on_error, text),
        };
        match end {
            RemapEnd::Keep => return Verdict::Passes,
            RemapEnd::Drop => return Verdict::Dropped,
            RemapEnd::Invalid if draft.is_invalid => return Verdict::Passes,
            RemapEnd::Invalid => draft.is_invalid = true,
            RemapEnd::Field => {}
        }
        scratch.value.clear();
        write_str(&mut scratch.value, text.as_bytes());
        draft.record.set(reason, &scratch.value);
        Verdict::Passes
    }
}
