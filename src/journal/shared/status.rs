//! Whether the journal takes chunks.

use std::sync::Arc;

/// Whether the journal takes chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Accepting,
    /// At its size limit: senders wait until an output has come further.
    Full,
    /// No space on the disk: senders wait until there is.
    DiskFull,
    /// The next segment can't be made for another reason: senders wait until it can.
    Stuck(Arc<str>),
    /// A sync or a write failed: nothing more is taken until a restart.
    Failed(Arc<str>),
}

impl Status {
    /// Whether senders wait for a segment, or are refused by `when_full`.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Full | Self::DiskFull | Self::Stuck(_))
    }

    /// Why nothing is taken, for operators; `None` while all is well.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Accepting => None,
            Self::Full => Some(
                "the journal is full and senders wait: an output is behind; see hikyaku_journal_bytes and \
                 fluentd_output_status_buffer_total_bytes"
                    .to_owned(),
            ),
            Self::DiskFull => {
                Some("the disk of the journal is full and senders wait: free some space".to_owned())
            }
            Self::Stuck(reason) => Some(format!(
                "the journal can't make its next segment and senders wait: {reason}. It tries again by itself"
            )),
            Self::Failed(reason) => Some(format!("the journal has failed and needs a restart: {reason}")),
        }
    }
}
