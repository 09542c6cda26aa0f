//! Why an event is not its sender's to write.

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A bound field holds what its sender may not write.
    NotAllowed,
    /// A bound field is missing, nil or empty.
    Missing,
    /// The record has a bound field more than once, so that its readers could disagree about which one counts.
    Ambiguous,
    /// No row of `owners` is about the sender.
    UnknownSender,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::NotAllowed, Self::Missing, Self::Ambiguous, Self::UnknownSender];

    /// As metrics and log lines say it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Missing => "missing",
            Self::Ambiguous => "ambiguous",
            Self::UnknownSender => "unknown_sender",
        }
    }
}

/// How many events were not their senders' to write, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Disowned([u64; Reason::ALL.len()]);

impl Disowned {
    pub(in crate::pipeline) fn add(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// The reasons that there were.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }
}
