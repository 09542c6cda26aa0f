//! Whether the counters of a process add up, once it has stopped in order.

use super::life::Life;
use super::model::Model;
use super::settings::OUTPUTS;
use crate::journal::{Journal, Reader};
use crate::output::file::DEAD_LETTERS;

/// Counts by hand what the process counts.
#[derive(Debug)]
pub(super) struct Tally {
    reader: Reader,
    chunks: u64,
    /// Events by output, in the order of [`OUTPUTS`].
    events: [u64; OUTPUTS.len()],
}

impl Tally {
    /// `pending`: what was still to be delivered when the process started.
    pub(super) fn new(journal: &Journal, pending: [u64; OUTPUTS.len()]) -> Self {
        Self { reader: journal.reader(journal.newest()), chunks: 0, events: pending }
    }

    /// Counts what was written since the last time.
    pub(super) fn follow(&mut self, model: &Model) -> Result<(), String> {
        while let Some(chunk) = self.reader.try_next().map_err(|error| error.to_string())? {
            let events = model.find(chunk.entries()).ok_or("the journal has a chunk that nobody sent")?;
            self.chunks += u64::from(chunk.first_index() == 0);
            for (output, count) in self.events.iter_mut().enumerate() {
                *count += events.clone().filter(|event| model.is_for(output, *event)).count() as u64;
            }
        }
        Ok(())
    }

    /// Compares, after everything was delivered.
    pub(super) fn check(&self, life: &Life) -> Result<(), String> {
        equal("chunks written", life.metrics.journal.chunks.get(), self.chunks)?;
        if life.skips {
            // What was left behind is counted whoever would have taken it, and what was read before that twice.
            return Ok(());
        }
        for (number, id) in OUTPUTS.into_iter().enumerate() {
            if !life.output_ids().any(|running| running == id) {
                continue;
            }
            let counted = match id {
                // Letters that are written again are counted again.
                DEAD_LETTERS if life.metrics.output(id, "dead_letters").taken_back.get() > 0 => continue,
                DEAD_LETTERS => dead_letters(&life.metrics.render().map_err(|error| error.to_string())?),
                _ => {
                    let metrics = life.metrics.output(id, "file");
                    metrics.emit_records.get() - metrics.abandoned_records.get()
                }
            };
            equal(&format!("events of output {id}"), counted, self.events[number])?;
        }
        Ok(())
    }
}

fn equal(what: &str, counted: u64, really: u64) -> Result<(), String> {
    if counted == really {
        Ok(())
    } else {
        Err(format!("counters do not add up: {what}: {counted} were counted, and there were {really}"))
    }
}

fn dead_letters(metrics: &str) -> u64 {
    // Not those of what was given up, whose reader is another.
    let own = format!("output=\"{DEAD_LETTERS}\"");
    let lines = metrics.lines().filter(|line| line.starts_with("hikyaku_output_dead_letters_total{"));
    let lines = lines.filter(|line| line.contains(&own));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}
