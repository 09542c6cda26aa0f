//! One process: what a server does, one step after the other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::given_up::{GivenUpLife, as_secondary};
use super::settings::{ASIDE, SPARE, Settings, data_dir, given_up_dir, gives_up};
use crate::config::{OutputConfig, OutputKind, WhenFull};
use crate::journal::Journal;
use crate::journal::durable::create_folder;
use crate::journal::writer::{Moment, Step, Writer};
use crate::metrics::Metrics;
use crate::output::Output;
use crate::output::file::{
    DEAD_LETTERS, DeliveryError, FileOutput, GIVEN_UP, Next, Unrecovered, open_dead_letters, open_given_up,
    open_output, recover_all,
};
use crate::output::forward::simulated::SimulatedForward;
use crate::pipeline::Pipeline;
use crate::storage::Storage;

/// A server without sockets and threads.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) journal: Journal,
    pub(super) metrics: Arc<Metrics>,
    /// Whether outputs may lose what they have not delivered.
    pub(super) drops: bool,
    /// Whether outputs may leave something behind, one way or the other.
    pub(super) skips: bool,
    /// Outputs whose files could not be recovered at the start.
    pub(super) unrecovered: BTreeSet<String>,
    /// Segments of which an output could not tell whether they were left behind.
    pub(super) uncertain_skips: u64,
    writer: Writer,
    writer_ended: bool,
    outputs: Vec<FileOutput>,
    /// Outputs that have ended for good: only the next start may touch what is theirs.
    ended: BTreeSet<usize>,
    pub(super) forward: Option<SimulatedForward>,
    pub(super) given_up: Option<GivenUpLife>,
}

/// How often an output is tried that waits for what it gave up, when the process stops.
const MAX_TRIES: usize = 20;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Something was done.
    Some,
    /// There was nothing to do.
    Nothing,
    /// It could not be done now, and may be later.
    Blocked,
    /// What is given up has to be written first.
    Waits,
    /// It can't go on: the process ends.
    Ended,
}

impl Life {
    /// Starts as `server/start.rs` does, with these of the outputs.
    pub(super) fn start(
        storage: &Arc<dyn Storage>,
        settings: &Settings,
        outputs: &[OutputConfig],
        now: Moment,
    ) -> Result<Self, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let metrics = Metrics::new("simulation", 10);
        create_folder(storage.as_ref(), data_dir()).map_err(|error| text(&error))?;
        let can_give_up = settings.outputs.iter().any(gives_up);
        let given_up = can_give_up.then(|| GivenUpLife::open(storage, settings, now)).transpose()?;
        let (journal, writer) =
            Journal::open_on(storage, data_dir(), &settings.journal, metrics.journal.clone(), now.wall)
                .map_err(|error| text(&error))?;
        let mut unrecovered =
            recover_all(storage, data_dir(), outputs, &metrics).map_err(|error| text(&error))?;
        let mut unrecovered_given_up = match given_up {
            Some(_) => {
                recover_all(storage, &given_up_dir(), outputs, &metrics).map_err(|error| text(&error))?
            }
            None => Unrecovered::default(),
        };
        let unrecovered_ids =
            unrecovered.ids().chain(unrecovered_given_up.ids()).map(str::to_owned).collect();
        let pipeline = Pipeline::new(&settings.filters, outputs, "simulation");
        let max_size = settings.journal.max_size;
        let dead_letters = open_dead_letters(data_dir(), &journal, max_size, None, &metrics);
        let mut opened = vec![unrecovered.hand_over_to(dead_letters.map_err(|error| text(&error))?)];
        let mut forward = None;
        if let Some(GivenUpLife { given_up, .. }) = &given_up {
            let max_size = given_up.max_size(settings.journal.segment_size);
            let letters = open_given_up(&given_up_dir(), given_up, max_size, None, &metrics);
            opened.push(unrecovered_given_up.hand_over_to(letters.map_err(|error| text(&error))?));
        }
        for output in outputs {
            match (&output.kind, &given_up) {
                (OutputKind::File(file), Some(GivenUpLife { given_up, .. }))
                    if [SPARE, ASIDE].contains(&output.id.as_str()) =>
                {
                    let (output, journal) = (as_secondary(output), given_up.journal());
                    let max_size = given_up.max_size(settings.journal.segment_size);
                    let output = open_output(
                        &output,
                        file,
                        &given_up_dir(),
                        journal,
                        max_size,
                        None,
                        &pipeline,
                        &metrics,
                    );
                    opened.push(unrecovered_given_up.hand_over_to(output.map_err(|error| text(&error))?));
                }
                (OutputKind::File(file), given_up) => {
                    let given_up = given_up.as_ref().map(|life| &life.given_up);
                    let output = open_output(
                        output,
                        file,
                        data_dir(),
                        &journal,
                        max_size,
                        given_up,
                        &pipeline,
                        &metrics,
                    );
                    opened.push(unrecovered.hand_over_to(output.map_err(|error| text(&error))?));
                }
                (OutputKind::Forward(config), Some(GivenUpLife { given_up, .. })) => {
                    let output =
                        SimulatedForward::open(output, config, &journal, given_up, &pipeline, &metrics);
                    forward = Some(output.map_err(|error| text(&error))?);
                }
                (OutputKind::Forward(_), None) => {}
            }
        }
        if let Some(GivenUpLife { given_up, .. }) = &given_up {
            given_up.remove_orphans(&journal);
        }
        unrecovered.all_handed_over().map_err(|error| text(&error))?;
        unrecovered_given_up.all_handed_over().map_err(|error| text(&error))?;
        let drops = settings.journal.when_full == WhenFull::DropOldest;
        let skips = drops || outputs.iter().any(|output| output.backlog.max_backlog.is_some());
        Ok(Self {
            journal,
            metrics,
            drops,
            skips,
            unrecovered: unrecovered_ids,
            uncertain_skips: 0,
            writer,
            writer_ended: false,
            outputs: opened,
            ended: BTreeSet::new(),
            forward,
            given_up,
        })
    }

    /// Times that outputs went back to their last checkpoint while the process went on, or have to since the start.
    pub(super) fn taken_back(&self) -> u64 {
        let counts = self.output_ids().map(|id| match id {
            DEAD_LETTERS | GIVEN_UP => self.metrics.output(id, "dead_letters").taken_back.get(),
            id => self.metrics.output(id, "file").taken_back.get(),
        });
        counts.sum::<u64>() + self.unrecovered.len() as u64
    }

    pub(super) fn output_count(&self) -> usize {
        self.outputs.len()
    }

    /// Lets the journal's writer do what it was asked for.
    pub(super) fn write(&mut self, now: Moment) -> Progress {
        if self.writer_ended {
            return Progress::Ended;
        }
        match self.writer.step(now) {
            Step::Done => Progress::Some,
            Step::NoSpace => Progress::Blocked,
            Step::Ended => {
                self.writer_ended = true;
                Progress::Ended
            }
        }
    }

    /// Lets an output do the next thing.
    pub(super) fn deliver(&mut self, number: usize, now: Instant, asked: bool) -> Progress {
        if self.ended.contains(&number) {
            return Progress::Ended;
        }
        let output = &mut self.outputs[number];
        match output.advance(now, asked) {
            Ok(Next::GoOn) => Progress::Some,
            Ok(Next::CaughtUp) => Progress::Nothing,
            Err(error) if error.needs_restart() => {
                self.ended.insert(number);
                Progress::Ended
            }
            Err(DeliveryError::HandingOver) => Progress::Waits,
            Err(error) => {
                output.make_room_after(&error);
                let is_uncertain = matches!(&error, DeliveryError::Skip(error) if error.is_uncertain());
                self.uncertain_skips += u64::from(is_uncertain);
                Progress::Blocked
            }
        }
    }

    /// Has what file outputs have under way written. Somebody who moves or removes a file meanwhile might as well do it after that.
    pub(super) fn write_pieces(&mut self) {
        for output in &mut self.outputs {
            output.write_pieces();
        }
    }

    /// Closes the journal: what was sent before is written, nothing after it.
    pub(super) fn close(&mut self, now: Moment) {
        self.journal.ask_to_close();
        while self.write(now) != Progress::Ended {}
    }

    /// Lets each output deliver what is there and save, after the journal was closed. Whether all did.
    pub(super) fn finish(&mut self, now: Moment) -> bool {
        let mut good = true;
        for number in 0..self.outputs.len() {
            let mut progress = Progress::Some;
            while progress == Progress::Some {
                progress = self.deliver(number, now.monotonic, false);
            }
            // What is given up has to be written first.
            for _ in 0..MAX_TRIES {
                if !matches!(progress, Progress::Waits | Progress::Some)
                    || self.write_given_up(now) == Progress::Ended
                {
                    break;
                }
                progress = self.deliver(number, now.monotonic, true);
            }
            good &= progress == Progress::Nothing && self.outputs[number].finish().is_ok();
        }
        if let Some(forward) = &mut self.forward {
            // Where that fails, something is sent again.
            let _ = forward.save();
        }
        if let Some(given_up) = &mut self.given_up {
            given_up.close(now);
        }
        good
    }

    /// Lets the writer of what was given up do what it was asked for.
    pub(super) fn write_given_up(&mut self, now: Moment) -> Progress {
        self.given_up.as_mut().map_or(Progress::Nothing, |given_up| given_up.write(now))
    }

    /// Ids of the outputs that run.
    pub(super) fn output_ids(&self) -> impl Iterator<Item = &str> {
        self.outputs.iter().map(FileOutput::id)
    }
}
