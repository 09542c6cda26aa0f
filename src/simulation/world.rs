//! The world of one seed, from the first start to the last check.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check::{check, given_up_by_files};
use super::copying::Copying;
use super::counters::Tally;
use super::life::{Life, Progress};
use super::model::Model;
use super::others::{break_files, meddle};
use super::report::{Failure, Options, Report};
use super::sender::SimulatedSender;
use super::settings::{OUTPUTS, PACKED, PLAIN, Settings, archive_folder, data_dir, moved_folder};
use super::upstream::Upstream;
use crate::event_time::EventTime;
use crate::journal::writer::Moment;
use crate::planted::plant;
use crate::storage::Storage;
use crate::storage::simulated::{Faults, Loss, Random, Simulated, Space};

/// Rounds in which all must be acknowledged, once nothing goes wrong any more.
const MAX_REST_ROUNDS: usize = 2_000;

/// Runs the world of a seed, and checks it.
pub fn run(seed: u64, options: &Options) -> Result<Report, Failure> {
    let _planted = plant(options.bug);
    let mut world = World::new(seed, options);
    match world.run() {
        Ok(()) => {
            Ok(Report { fingerprint: world.disk.fingerprint(), calls: world.disk.calls(), ..world.report })
        }
        Err(what) => Err(Failure { seed, what, lines: world.lines() }),
    }
}

struct World {
    random: Random,
    settings: Settings,
    disk: Simulated,
    storage: Arc<dyn Storage>,
    model: Model,
    senders: Vec<SimulatedSender>,
    upstream: Upstream,
    /// When the world began, by the clock of whoever runs it; only differences count.
    began: Instant,
    elapsed: Duration,
    /// What the clock on the wall is ahead of `elapsed`, in nanoseconds since the Unix epoch.
    wall: i64,
    report: Report,
    lines: Option<Vec<String>>,
    copying: Option<Copying>,
    /// Whether every output has a cursor.
    attached: bool,
    /// Whether the last process ended by itself, because it could not go on.
    gave_up: bool,
    /// Whether everything must have been delivered.
    is_delivered: bool,
}

/// How a life ended.
enum End {
    Clean,
    Dead,
    Failed,
}

/// Bytes of blocks of the disk: outputs write a little at a time.
const BLOCKS: [usize; 4] = [16, 64, 256, 4096];

impl World {
    fn new(seed: u64, options: &Options) -> Self {
        let mut random = Random::new(seed);
        let disk = Simulated::new(random.number());
        disk.set_block(random.pick(&BLOCKS).copied().unwrap_or(BLOCKS[0]));
        if options.lines {
            disk.keep_lines();
        }
        for folder in [archive_folder(), moved_folder()] {
            disk.add_folder(folder);
        }
        let settings = Settings::new(&mut random, Random::new(!seed).one_in(2));
        let model = Model::new(!settings.filters.is_empty());
        Self {
            senders: (0..settings.senders)
                .map(|number| SimulatedSender::new(number, options.lines))
                .collect(),
            settings,
            storage: Arc::new(disk.clone()),
            disk,
            model,
            upstream: Upstream::new(options.lines),
            began: Instant::now(),
            elapsed: Duration::ZERO,
            wall: 1_760_000_000_000_000_000,
            report: Report::default(),
            lines: options.lines.then(Vec::new),
            copying: None,
            attached: false,
            gave_up: false,
            is_delivered: false,
            random,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.note(|world| format!("{:#?}", world.settings));
        for _ in 0..self.settings.lives {
            self.live()?;
        }
        self.come_to_rest()
    }

    /// One process in which things go wrong, from its start to its end.
    fn live(&mut self) -> Result<(), String> {
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
    fn start(&mut self, is_last: bool) -> Result<Option<(Life, Tally)>, String> {
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

    /// Some steps, until the process ends or has done enough.
    fn steps(&mut self, life: &mut Life, tally: &mut Tally) -> Result<(), String> {
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

    /// Nothing goes wrong any more: everything must be acknowledged, delivered and right.
    fn come_to_rest(&mut self) -> Result<(), String> {
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

    fn restart(&mut self, loss: Option<Loss>) {
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

    fn listen(&mut self) {
        for sender in &mut self.senders {
            let heard = sender.listen(&mut self.model, self.settings.lost_acks, &mut self.random);
            self.report.duplicates += heard.duplicates;
            self.report.lost_acks += heard.lost_acks;
        }
    }

    fn now(&self) -> Moment {
        let wall = self.wall + self.elapsed.as_nanos() as i64;
        Moment { wall: EventTime::from_unix_nanoseconds(wall), monotonic: self.began + self.elapsed }
    }

    fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.lines.is_some() {
            let line = line(self);
            let calls = self.disk.take_lines();
            let lines = self.lines.get_or_insert_default();
            lines.extend(calls);
            lines.extend(self.upstream.take_lines());
            lines.extend(self.senders.iter_mut().flat_map(SimulatedSender::take_lines));
            lines.push(line);
        }
    }

    fn lines(mut self) -> Vec<String> {
        self.note(|_| "this is where it was found".to_owned());
        self.lines.unwrap_or_default()
    }
}

/// How many segments outputs left behind.
fn set_aside_segments(disk: &Simulated) -> u64 {
    let files = disk.files_below(&data_dir().join("dead-letters/segments"));
    files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "from")).count() as u64
}

/// The number of the oldest segment that is kept.
fn first_segment(disk: &Simulated) -> u64 {
    let files = disk.files_below(&data_dir().join("journal"));
    let segments = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "seg"));
    segments.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).min().unwrap_or_default()
}
