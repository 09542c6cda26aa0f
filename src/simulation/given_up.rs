//! The journal of what an output gave up, and its writer.

use std::sync::Arc;

use super::life::Progress;
use super::settings::{Settings, given_up_dir};
use crate::config::{BacklogConfig, OutputConfig, StartAt};
use crate::journal::Journal;
use crate::journal::durable::create_folder;
use crate::journal::writer::{Moment, Step, Writer};
use crate::metrics::JournalMetrics;
use crate::output::given_up::GivenUp;
use crate::storage::Storage;

/// More bytes than any message has.
const LARGEST_MESSAGE: u64 = 16 * 1024;

/// As `GivenUp::open` makes it, without a thread.
#[derive(Debug)]
pub(super) struct GivenUpLife {
    pub(super) given_up: GivenUp,
    pub(super) metrics: JournalMetrics,
    writer: Writer,
    has_ended: bool,
}

impl GivenUpLife {
    pub(super) fn open(storage: &Arc<dyn Storage>, settings: &Settings, now: Moment) -> Result<Self, String> {
        let metrics = JournalMetrics::unregistered();
        create_folder(storage.as_ref(), &given_up_dir()).map_err(|error| error.to_string())?;
        let config = GivenUp::journal_config(&settings.journal, LARGEST_MESSAGE);
        let (journal, writer) =
            Journal::open_on(storage, &given_up_dir(), &config, metrics.clone(), now.wall)
                .map_err(|error| error.to_string())?;
        let given_up = GivenUp::new(journal, given_up_dir());
        Ok(Self { given_up, metrics, writer, has_ended: false })
    }

    /// Lets the writer do what it was asked for.
    pub(super) fn write(&mut self, now: Moment) -> Progress {
        if self.has_ended {
            return Progress::Ended;
        }
        match self.writer.step(now) {
            Step::Done => Progress::Some,
            Step::NoSpace => Progress::Blocked,
            Step::Ended => {
                self.has_ended = true;
                Progress::Ended
            }
        }
    }

    /// What is there is written, and nothing after it.
    pub(super) fn close(&mut self, now: Moment) {
        self.given_up.journal().ask_to_close();
        while self.write(now) != Progress::Ended {}
    }
}

/// A secondary output as a server opens it: its limits are about the main journal, and this is another one.
pub(super) fn as_secondary(output: &OutputConfig) -> OutputConfig {
    OutputConfig { start: StartAt::Oldest, backlog: BacklogConfig::default(), ..output.clone() }
}
