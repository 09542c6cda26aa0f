//! One process in which things go wrong, from its start to its end.

use super::{End, World};
use crate::simulation::check::check;
use crate::simulation::counters::Tally;
use crate::simulation::life::Life;
use crate::simulation::sender::SimulatedSender;
use crate::simulation::settings::OUTPUTS;
use crate::storage::simulated::{Faults, Loss};

impl World {
    /// One process in which things go wrong, from its start to its end.
    pub(super) fn live(&mut self) -> Result<(), String> {
        // After a process that gave up comes one without trouble, until the power fails: what the first one left only
        // half done shows then.
        let is_after_trouble = std::mem::take(&mut self.gave_up);
        let is_calm = is_after_trouble || self.random.one_in(4);
        self.disk.set_faults(if is_calm { Faults::default() } else { self.settings.faults });
        if is_after_trouble {
            self.disk.die_after(Some(100 + self.random.below(200)));
        } else if self.random.one_in(2) {
            self.disk.die_after(Some(1 + self.random.below(600)));
        }
        let mut went_back = false;
        let end = match self.start(false)? {
            None if self.disk.is_dead() => End::Dead,
            None => End::Failed,
            Some((mut life, mut tally)) => {
                self.steps(&mut life, &mut tally)?;
                self.report.uncertain_skips += life.uncertain_skips;
                let taken_back = life.taken_back();
                self.report.taken_back += taken_back;
                went_back = taken_back > 0;
                self.end_life(life, tally)?
            }
        };
        let loss = match end {
            End::Clean => None,
            // Whoever restarts a process that gave up does so at once.
            End::Failed if !self.random.one_in(3) => None,
            // What is only half done after an output went back to its checkpoint shows when the power fails.
            End::Dead | End::Failed => self.loss(is_after_trouble || went_back),
        };
        self.gave_up = matches!(end, End::Failed);
        self.restart(loss);
        Ok(())
    }

    /// Starts a process, and checks what it finds. `None` where it does not come up.
    pub(super) fn start(&mut self, is_last: bool) -> Result<Option<(Life, Tally)>, String> {
        let mut outputs = self.settings.outputs.clone();
        // All are there once, so that each has a cursor; later one may be missing for a while.
        if self.attached && !is_last && self.random.one_in(3) {
            let missing = self.random.below(outputs.len() as u64) as usize;
            let missing = outputs.remove(missing).id;
            if let Some(number) = OUTPUTS.iter().position(|id| *id == missing) {
                self.model.left_out[number] = true;
            }
        }
        self.report.starts += 1;
        let started = Life::start(&self.storage, &self.settings, &outputs, self.now());
        let mut life = match started {
            Ok(life) => life,
            Err(error) => {
                self.report.failed_starts += 1;
                self.note(|_| format!("the process does not start: {error}"));
                return Ok(None);
            }
        };
        if self.disk.is_dead() {
            return Ok(None);
        }
        self.attached = true;
        let pending = self.disk.aside(|| check(&self.disk, &self.model, &self.upstream, &mut life, false))?;
        for id in OUTPUTS {
            self.report.undone_files += life.metrics.output(id, "file").undone_files.get();
        }
        if is_last && !life.unrecovered.is_empty() {
            return Err(format!("on a sound disk these are not recovered: {:?}", life.unrecovered));
        }
        if is_last && pending.iter().any(|events| *events > 0) && self.is_delivered {
            return Err(format!("after all was delivered, something is still to do: {pending:?}"));
        }
        let tally = Tally::new(&life.journal, pending);
        Ok(Some((life, tally)))
    }

    /// Ends a process as it may end, if it did not die by itself.
    fn end_life(&mut self, mut life: Life, mut tally: Tally) -> Result<End, String> {
        if self.disk.is_dead() || self.random.one_in(3) {
            self.disk.kill();
            return Ok(End::Dead);
        }
        let now = self.now();
        life.close(now);
        self.listen();
        self.disk.aside(|| tally.follow(&self.model))?;
        let good = life.finish(now);
        if self.disk.is_dead() {
            return Ok(End::Dead);
        }
        if !good {
            return Ok(End::Failed);
        }
        self.report.clean_stops += 1;
        tally.check(&life)?;
        Ok(End::Clean)
    }

    pub(super) fn restart(&mut self, loss: Option<Loss>) {
        match loss {
            None => self.report.kills += 1,
            Some(_) => {
                self.report.power_failures += 1;
                self.copying = None;
            }
        }
        self.senders.iter_mut().for_each(SimulatedSender::disconnect);
        self.disk.restart(loss);
        if self.random.one_in(4) {
            self.disk.evict();
        }
    }

    /// What the power failure takes; `None` where the process was merely killed.
    fn loss(&mut self, by_power: bool) -> Option<Loss> {
        let by_chance =
            [None, None, Some(Loss::Nothing), Some(Loss::Some), Some(Loss::Some), Some(Loss::Everything)];
        let losses = if by_power { &by_chance[3..] } else { &by_chance[..] };
        self.random.pick(losses).copied().flatten()
    }
}
