//! A chunk that nobody sent: what `hikyaku check --explain` and `hikyaku test` put in the place of one.

use super::event::Source;
use crate::event_time::EventTime;
use crate::journal::Position;
use crate::sender::Sender;

/// What is known about a run of entries beside the entries.
#[derive(Debug, Clone)]
pub struct Trial {
    pub tag: String,
    /// The `id` of the input that it comes from.
    pub input: String,
    pub sender: Sender,
    /// When it was received.
    pub received_at: EventTime,
    /// What `{@server}` says.
    pub server: String,
}

impl Trial {
    /// The source of its events, as readers see it: the first chunk of a journal.
    pub fn with_source<R>(&self, use_source: impl FnOnce(&Source<'_>) -> R) -> R {
        self.with_source_of(0, use_source)
    }

    /// The source of its events, as readers see it: the chunk with this index in a journal.
    pub fn with_source_of<R>(&self, index: u32, use_source: impl FnOnce(&Source<'_>) -> R) -> R {
        let Sender { identity, address, certificate, host_name, user } = &self.sender;
        let address = address.map(|address| address.to_string());
        let names = certificate.as_ref().map_or(&[][..], |certificate| &certificate.alternative_names);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        use_source(&Source {
            tag: self.tag.as_bytes(),
            position: Position::new(1, 64 * (u64::from(index) + 1)),
            received_at: self.received_at,
            input: &self.input,
            sender: identity,
            source_address: address.as_deref(),
            subject: certificate.as_ref().map(|certificate| certificate.subject.as_str()),
            fingerprint: certificate.as_ref().map(|certificate| certificate.fingerprint.as_str()),
            alternative_names: &names,
            host_name: host_name.as_deref(),
            user: user.as_deref(),
        })
    }
}
