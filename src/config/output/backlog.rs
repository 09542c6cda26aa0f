//! What an output may leave in the journal, and what happens then.

/// How far an output may fall behind.
#[derive(Debug, Clone)]
pub struct BacklogConfig {
    /// Bytes of the journal that the output may be behind. Default: half of `journal.max_size`, and no limit of its own
    /// where the output blocks.
    pub max_backlog: Option<u64>,
    /// What happens at the limit. Default: files block, what goes over the network is set aside.
    pub when_backlogged: WhenBacklogged,
    /// Bytes of segments that may be set aside for the output. Past it nothing more is, and the journal fills up.
    /// Default: 10 GiB.
    pub max_set_aside: u64,
}

/// What happens to an output that is too far behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenBacklogged {
    /// Senders wait for it.
    Block,
    /// Its oldest segments are set aside, readable, and it goes on behind them.
    DeadLetter,
    /// It goes on behind its oldest segments, and what it had not delivered of them is counted.
    DropOldest,
}

impl WhenBacklogged {
    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DeadLetter => "dead_letter",
            Self::DropOldest => "drop_oldest",
        }
    }
}

/// Bytes that may be set aside for an output, also for one that the configuration no longer has.
pub(crate) const DEFAULT_MAX_SET_ASIDE: u64 = 10 * 1024 * 1024 * 1024;

impl Default for BacklogConfig {
    /// That of file outputs.
    fn default() -> Self {
        Self {
            max_backlog: None,
            when_backlogged: WhenBacklogged::Block,
            max_set_aside: DEFAULT_MAX_SET_ASIDE,
        }
    }
}

impl BacklogConfig {
    /// Bytes that the output may be behind in a journal of this size; `None`: as far as it likes.
    pub fn max_bytes(&self, journal_max_size: u64) -> Option<u64> {
        self.max_backlog.or(match self.when_backlogged {
            WhenBacklogged::Block => None,
            WhenBacklogged::DeadLetter | WhenBacklogged::DropOldest => Some(journal_max_size / 2),
        })
    }
}
