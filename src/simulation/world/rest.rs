//! The end of a world: nothing goes wrong any more, and what was promised is there.

use std::time::Duration;

use super::World;
use crate::simulation::check::{check, given_up_by_files};
use crate::simulation::life::{Life, Progress};
use crate::simulation::sender::SimulatedSender;
use crate::simulation::settings::data_dir;
use crate::storage::simulated::{Faults, Simulated, Space};

/// Rounds in which all must be acknowledged, once nothing goes wrong any more.
const MAX_REST_ROUNDS: usize = 2_000;

impl World {
    /// Nothing goes wrong any more: everything must be acknowledged, delivered and right.
    pub(super) fn come_to_rest(&mut self) -> Result<(), String> {
        self.disk.set_faults(Faults::default());
        self.disk.set_space(Space::Enough);
        self.disk.set_broken(None);
        let (mut life, mut tally) = self.start(true)?.ok_or("no start on a sound disk")?;
        for round in 0.. {
            if self.senders.iter().all(SimulatedSender::is_content) {
                break;
            }
            if round == MAX_REST_ROUNDS {
                return Err("senders wait for ever on a sound disk".to_owned());
            }
            self.elapsed += Duration::from_secs(1);
            let now = self.now();
            for sender in &mut self.senders {
                sender.reconnect(&self.model, &life.journal, now.wall);
            }
            if life.write(now) == Progress::Ended {
                return Err("the journal fails on a sound disk".to_owned());
            }
            self.listen();
            self.disk.aside(|| tally.follow(&self.model))?;
            self.deliver_all(&mut life)?;
        }
        // What was given up last is written in one round, and delivered in the next.
        for _ in 0..8 {
            self.deliver_all(&mut life)?;
        }
        let now = self.now();
        life.close(now);
        self.disk.aside(|| tally.follow(&self.model))?;
        if !life.finish(now) {
            return Err("a process does not stop in order on a sound disk".to_owned());
        }
        tally.check(&life)?;
        drop((life, tally));
        self.restart(None);
        self.is_delivered = true;
        let (mut life, _) = self.start(true)?.ok_or("no start on a sound disk")?;
        self.disk.aside(|| check(&self.disk, &self.model, &self.upstream, &mut life, true))?;
        self.report.given_up_by_files = given_up_by_files(&self.disk)?;
        self.report.given_up = self.upstream.given_up;
        self.report.given_up_in_doubt = self.upstream.given_up_in_doubt;
        self.report.events = self.model.events.len() as u64;
        self.report.dropped_by_filters = self.model.dropped();
        self.report.chunks = self.model.chunks.len() as u64;
        self.report.large_chunks = self.model.chunks.iter().filter(|chunk| chunk.is_large).count() as u64;
        self.report.set_aside_segments = set_aside_segments(&self.disk);
        self.report.removed_segments = first_segment(&self.disk).saturating_sub(1);
        Ok(())
    }

    /// Lets all outputs deliver what is there.
    fn deliver_all(&mut self, life: &mut Life) -> Result<(), String> {
        let now = self.now();
        if let Some(forward) = &mut life.forward {
            self.upstream.take_all(forward, &self.model)?;
        }
        if life.write_given_up(now) == Progress::Ended {
            return Err("the journal of what was given up fails on a sound disk".to_owned());
        }
        for output in 0..life.output_count() {
            while life.deliver(output, now.monotonic, false) == Progress::Some {}
        }
        Ok(())
    }
}

/// How many segments outputs left behind.
pub(super) fn set_aside_segments(disk: &Simulated) -> u64 {
    let files = disk.files_below(&data_dir().join("dead-letters/segments"));
    files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "from")).count() as u64
}

/// The number of the oldest segment that is kept.
fn first_segment(disk: &Simulated) -> u64 {
    let files = disk.files_below(&data_dir().join("journal"));
    let segments = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).min().unwrap_or_default()
}
