//! The world of one seed, from the first start to the last check.

mod process;
mod rest;
mod steps;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::copying::Copying;
use super::model::Model;
use super::report::{Failure, Options, Report};
use super::sender::SimulatedSender;
use super::settings::{Settings, archive_folder, moved_folder};
use super::upstream::Upstream;
use crate::event_time::EventTime;
use crate::journal::writer::Moment;
use crate::planted::plant;
use crate::storage::Storage;
use crate::storage::simulated::{Random, Simulated};

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
