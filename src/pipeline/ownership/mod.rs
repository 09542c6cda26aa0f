//! Who may write what: the values that an input's `allow` and `owners` leave to a sender.
//!
//! Looked at twice, since both ways lead into a foreign folder. **What the sender claims** is checked as it comes, before
//! any filter: so no filter can turn a foreign name into one that fits. **What filters bring** into a bound field from
//! elsewhere in the event (parsed text, a renamed field, a template of fields) is the sender's word as well, and is checked
//! where it is brought. What filters write on the operator's word (constants, attributes of the sender), and what they
//! make of a value that fitted (`sanitize`, `hash`, …), is left alone. What is missing to the end fits nobody.
//!
//! An event that does not fit is invalid from then on: it goes on through the filters, and then to the output with
//! `invalid = true` and to no other.

mod claims;
mod disowned;
mod mark;
mod sender_pattern;
mod writes;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use claims::{Claim, Claims, Held};
pub use disowned::{Disowned, Reason};
pub(super) use mark::Mark;
pub use sender_pattern::SenderPattern;
pub(super) use writes::Writes;

use super::event::Source;
use super::field_path::FieldPath;
use crate::config::{InputConfig, OwnershipConfig};

/// How many senders' claims are remembered; when there are more it starts over.
const MAX_REMEMBERED_SENDERS: usize = 1_000;

/// The longest name of a sender, in bytes and with all its attributes, that is remembered.
const MAX_REMEMBERED_SENDER: usize = 4096;

/// The rules of all inputs.
#[derive(Debug, Clone, Default)]
pub(super) struct Ownership {
    inputs: HashMap<String, OwnershipConfig>,
    /// By filter: whether it may bring what a sender chose into a field that some input binds.
    watched: Vec<bool>,
}

impl Ownership {
    /// `writes`: what each filter writes.
    pub(super) fn new<'w>(inputs: &[InputConfig], writes: impl Iterator<Item = &'w Writes>) -> Self {
        let inputs: HashMap<_, _> =
            inputs.iter().filter_map(|input| Some((input.id.clone(), input.ownership.clone()?))).collect();
        let bound: Vec<&FieldPath> = inputs.values().flat_map(OwnershipConfig::fields).collect();
        let watched = writes.map(|writes| writes.reaches(&bound)).collect();
        Self { inputs, watched }
    }

    /// Whether no input binds its senders.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether an input binds its senders.
    pub(super) fn binds(&self, input: &str) -> bool {
        self.inputs.contains_key(input)
    }

    /// Whether a filter may bring what a sender chose into a field that some input binds.
    #[inline]
    pub(super) fn watches(&self, filter: usize) -> bool {
        self.watched.get(filter).copied().unwrap_or_default()
    }
}

/// What the senders may write that were met lately. Of one output.
#[derive(Debug, Default)]
pub(super) struct KnownSenders {
    claims: HashMap<Vec<u8>, Arc<Claims>>,
    key: Vec<u8>,
}

impl KnownSenders {
    /// What the sender of a chunk may write; `None` where its input binds nobody.
    pub(super) fn claims(&mut self, ownership: &Ownership, source: &Source<'_>) -> Option<Arc<Claims>> {
        let config = ownership.inputs.get(source.input)?;
        self.key.clear();
        let attributes = [source.source_address, source.subject, source.fingerprint, source.user]
            .map(Option::unwrap_or_default);
        for text in [source.input, source.sender]
            .into_iter()
            .chain(attributes)
            .chain(source.alternative_names.iter().copied())
        {
            // With its length in front, no text runs into the next one.
            self.key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.key.extend_from_slice(text.as_bytes());
        }
        if let Some(claims) = self.claims.get(&self.key) {
            return Some(claims.clone());
        }
        let claims = Arc::new(Claims::new(config, source));
        if self.key.len() <= MAX_REMEMBERED_SENDER {
            if self.claims.len() >= MAX_REMEMBERED_SENDERS {
                self.claims.clear();
            }
            self.claims.insert(self.key.clone(), claims.clone());
        }
        Some(claims)
    }
}

#[cfg(test)]
mod tests;
