//! `type = "throttle"`: so many events of a key in a time.

use aws_lc_rs::digest::{SHA256, digest};

use super::{Draft, Scratch, Verdict};
use crate::config::ThrottleConfig;
use crate::pipeline::throttle_state::{Allowance, ShortHash};

#[derive(Debug)]
pub(super) struct Throttle {
    config: ThrottleConfig,
    allowance: Allowance,
}

impl Throttle {
    /// `identity` is the text of all that decides which events are counted, and how.
    pub(super) fn new(config: ThrottleConfig, identity: &str) -> Self {
        let allowance = Allowance {
            identity: short_hash(identity.as_bytes()),
            limit: config.limit,
            interval: config.interval,
            max_keys: config.max_keys,
        };
        Self { config, allowance }
    }

    /// What its counts are kept under.
    pub(super) fn identity(&self) -> &ShortHash {
        &self.allowance.identity
    }

    pub(super) fn apply(&self, draft: &Draft<'_>, scratch: &mut Scratch) -> Verdict {
        let key = match &self.config.key {
            Some(template) => short_hash(scratch.renderer.render(template, &draft.event())),
            None => ShortHash::default(),
        };
        match scratch.throttle.admits(&self.allowance, draft.context.source.received_at, &key) {
            true => Verdict::Passes,
            false => Verdict::Dropped,
        }
    }
}

/// Of fixed length, so that what a peer calls itself can't make a cursor grow.
fn short_hash(bytes: &[u8]) -> ShortHash {
    let mut hash = ShortHash::default();
    hash.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..16]);
    hash
}
