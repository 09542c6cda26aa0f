//! What happens while a process runs: each step is one thing, picked by chance.

use std::time::Duration;

use super::World;
use super::rest::set_aside_segments;
use crate::simulation::copying::Copying;
use crate::simulation::counters::Tally;
use crate::simulation::life::{Life, Progress};
use crate::simulation::others::{break_files, meddle};
use crate::simulation::settings::{PACKED, PLAIN};
use crate::storage::simulated::Space;

impl World {
    /// Some steps, until the process ends or has done enough.
    pub(super) fn steps(&mut self, life: &mut Life, tally: &mut Tally) -> Result<(), String> {
        // For long: outputs come by only now and then.
        if self.settings.breakages > 0 {
            self.break_files();
        }
        let now = self.now().wall;
        for sender in &mut self.senders {
            // Some are faster than others to find that the server is back.
            if !self.random.one_in(3) {
                sender.reconnect(&self.model, &life.journal, now);
            }
        }
        for _ in 0..40 + self.random.below(160) {
            let progress = self.step(life, tally)?;
            self.note(|_| format!("-- {progress:?}"));
            if self.disk.is_dead() || progress == Progress::Ended {
                break;
            }
        }
        Ok(())
    }

    fn step(&mut self, life: &mut Life, tally: &mut Tally) -> Result<Progress, String> {
        self.elapsed += Duration::from_millis(self.random.below(400));
        if self.random.one_in(self.settings.clock_jumps) && self.report.clock_jumps < 5 {
            self.report.clock_jumps += 1;
            let hours = self.random.below(60) as i64 - 30;
            self.wall += hours * 3_600_000_000_000;
            self.note(|_| format!("the clock jumps by {hours} hours"));
        }
        if self.random.one_in(self.settings.meddling) {
            self.report.meddlings += 1;
            life.write_pieces();
            if let Some(done) = meddle(&self.disk, &mut self.model, &mut self.random) {
                self.note(|_| done);
            }
        }
        if self.random.one_in(self.settings.breakages) {
            self.break_files();
        }
        if self.random.one_in(self.settings.space_changes) {
            let spaces = [Space::Enough, Space::Enough, Space::Full, Space::FullAtSync];
            let space = self.random.pick(&spaces).copied().unwrap_or_default();
            self.report.full_disks += u64::from(space != Space::Enough);
            self.note(|_| format!("space on the disk: {space:?}"));
            self.disk.set_space(space);
        }
        self.copy()?;
        let now = self.now();
        let sender = self.random.below(self.senders.len() as u64) as usize;
        Ok(match self.random.below(13) {
            0..=3 => {
                let sender = &mut self.senders[sender];
                sender.send_new(&mut self.model, &life.journal, now.wall, &self.settings, &mut self.random);
                Progress::Some
            }
            4 => {
                if self.random.one_in(2) {
                    self.senders[sender].reconnect(&self.model, &life.journal, now.wall);
                }
                Progress::Some
            }
            5 | 6 => {
                let progress = life.write(now);
                self.listen();
                self.disk.aside(|| tally.follow(&self.model))?;
                self.report.failed_journals += u64::from(progress == Progress::Ended);
                self.has_reason_to_end(progress)?
            }
            7 if self.random.one_in(4) => self.has_reason_to_end(life.write_given_up(now))?,
            7 => Progress::Nothing,
            8 | 9 => self.forward(life)?,
            _ => {
                let output = self.pick_output(life);
                let asked = self.random.one_in(12);
                let mut progress = Progress::Some;
                for _ in 0..1 + self.random.below(4) {
                    progress = life.deliver(output, now.monotonic, asked);
                    if progress != Progress::Some {
                        break;
                    }
                }
                progress
            }
        })
    }

    /// Breaks a file or a folder of the archive, or mends what is broken.
    fn break_files(&mut self) {
        let broken = break_files(&self.disk, &mut self.random);
        self.report.broken_files += u64::from(broken.is_some());
        self.note(|_| format!("what can't be written: {broken:?}"));
        self.disk.set_broken(broken);
    }

    /// The output that does something next; where files break, often one that may give them up.
    fn pick_output(&mut self, life: &Life) -> usize {
        let picked = self.random.below(life.output_count() as u64) as usize;
        if self.settings.breakages == 0 || self.random.one_in(2) {
            return picked;
        }
        let id = if self.random.one_in(2) { PLAIN } else { PACKED };
        life.output_ids().position(|running| running == id).unwrap_or(picked)
    }

    /// Somebody copies the data folder.
    fn copy(&mut self) -> Result<(), String> {
        if self.copying.is_none() && self.random.one_in(self.settings.copies) {
            self.note(|_| "a copy of the data folder is begun".to_owned());
            self.copying = Some(Copying::begin(&self.disk, &self.model, &mut self.random));
        }
        let Some(mut copying) = self.copying.take() else { return Ok(()) };
        if !copying.go_on(&self.disk, &mut self.random) {
            self.copying = Some(copying);
        } else if set_aside_segments(&self.disk) == 0 {
            self.report.copies += 1;
            copying.check(&self.disk, &self.model, &self.settings, self.now())?;
        }
        Ok(())
    }

    /// A full disk is no reason for a journal to end.
    fn has_reason_to_end(&self, progress: Progress) -> Result<Progress, String> {
        if progress == Progress::Ended && !self.disk.is_dead() && self.disk.is_sound() {
            return Err("a journal has failed on a disk that was at most full".to_owned());
        }
        Ok(progress)
    }

    /// Lets the forward output and its server do some things.
    fn forward(&mut self, life: &mut Life) -> Result<Progress, String> {
        let Some(forward) = &mut life.forward else { return Ok(Progress::Nothing) };
        let mut progress = Progress::Nothing;
        for _ in 0..1 + self.random.below(8) {
            progress = self.upstream.step(forward, &mut self.model, &mut self.random)?;
            if progress == Progress::Ended {
                break;
            }
        }
        Ok(progress)
    }
}
