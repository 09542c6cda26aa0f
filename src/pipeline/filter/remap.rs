//! `type = "remap"`: a program in VRL.

use super::{Draft, Failed, Scratch, Verdict};
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
    pub(super) fn apply(
        &self,
        draft: &mut Draft<'_>,
        scratch: &mut Scratch,
    ) -> (Verdict, Result<(), Failed>) {
        let RemapConfig { program, on_error, on_abort, reason } = &self.config;
        let (end, text, done) = match program.run(draft, &mut scratch.remap, &mut scratch.tag) {
            Outcome::Done => return (Verdict::Passes, Ok(())),
            Outcome::Retagged => return (Verdict::Retagged, Ok(())),
            // `abort` is what the program is there for.
            Outcome::Aborted(text) => (on_abort, text, Ok(())),
            Outcome::Failed(text) => (on_error, text, Err(Failed)),
        };
        match end {
            RemapEnd::Keep => return (Verdict::Passes, done),
            RemapEnd::Drop => return (Verdict::Dropped, done),
            RemapEnd::Invalid if draft.is_invalid => return (Verdict::Passes, done),
            RemapEnd::Invalid => draft.is_invalid = true,
            RemapEnd::Field => {}
        }
        scratch.value.clear();
        write_str(&mut scratch.value, text.as_bytes());
        draft.record.set(reason, &scratch.value);
        (Verdict::Passes, done)
    }
}
