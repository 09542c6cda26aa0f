//! `[[output]]`

mod backlog;
mod file;
mod forward;
mod forward_servers;

use std::time::Duration;

pub(crate) use backlog::DEFAULT_MAX_SET_ASIDE;
pub use backlog::{BacklogConfig, WhenBacklogged};
pub use file::{CompressionLevel, FileFormat, FileOutputConfig, InjectConfig};
pub use forward::{ClientTlsConfig, ForwardOutputConfig, GiveUpConfig, MetadataHandling};
pub(crate) use forward_servers::is_host_name;
pub use forward_servers::{ForwardPoolConfig, ForwardServerConfig, HeartbeatKind, HostPort, SrvConfig};

use crate::pipeline::condition::Condition;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::tag_pattern::TagPatterns;

/// One `[[output]]`: what all of them have.
#[derive(Debug, Clone)]
pub struct OutputConfig {
    /// Names the cursor, so it must stay the same over restarts.
    pub id: String,
    /// The pipeline whose events it sees. `None`: those of the default one; with [`OutputTake::Invalid`] and
    /// [`OutputTake::Fallback`] those of all.
    pub pipeline: Option<String>,
    pub take: OutputTake,
    /// Where a new output starts to read. Default: at the newest event.
    pub start: StartAt,
    /// First and longest wait between retries; doubled in between. Default: 1 s and 30 s.
    pub retry_min_interval: Duration,
    pub retry_max_interval: Duration,
    /// How far it may fall behind, and what happens then.
    pub backlog: BacklogConfig,
    pub kind: OutputKind,
}

/// `type`
#[derive(Debug, Clone)]
pub enum OutputKind {
    File(Box<FileOutputConfig>),
    Forward(Box<ForwardOutputConfig>),
}

impl OutputKind {
    /// As the file writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Forward(_) => "forward",
        }
    }
}

/// Which events an output takes.
#[derive(Debug, Clone)]
pub enum OutputTake {
    /// `match`, narrowed by `where` (what fails it does not match), and by `require`: events in which one of the required
    /// fields is missing, empty or `unknown` are left to the output with `invalid = true`.
    Match { tags: TagPatterns, condition: Option<Condition>, require: Vec<FieldPath> },
    /// `invalid = true`: what another output's `match` took and its `require` refused.
    Invalid,
    /// `fallback = true`: what no other output took, in any pipeline.
    Fallback,
    /// Nothing by itself: what the outputs gave up whose `secondary` it is.
    Secondary,
}

impl OutputTake {
    /// Whether it takes every event that comes to its pipeline, or leaves it to the output for invalid ones, which there
    /// has to be.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self, Self::Match { tags, condition: None, .. } if tags.take_every_tag())
    }
}

/// Where an output without a cursor starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    Newest,
    Oldest,
}
