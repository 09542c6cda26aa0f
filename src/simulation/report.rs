//! What a seed is run with, and what comes of it.

use crate::planted::Bug;

/// How a seed is run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Keep a line about everything that happens.
    pub lines: bool,
    /// A mistake to make, so that it can be seen whether it is found.
    pub bug: Option<Bug>,
}

/// What happened in a world in which everything was as promised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Everything that was called, and what the disk had in the end. The same for the same seed.
    pub fingerprint: u64,
    pub calls: u64,
    pub events: u64,
    pub dropped_by_filters: u64,
    pub chunks: u64,
    pub large_chunks: u64,
    pub given_up: u64,
    pub given_up_in_doubt: u64,
    pub given_up_by_files: u64,
    pub broken_files: u64,
    pub duplicates: u64,
    pub lost_acks: u64,
    pub starts: u64,
    pub failed_starts: u64,
    pub kills: u64,
    pub power_failures: u64,
    pub clean_stops: u64,
    pub failed_journals: u64,
    pub uncertain_skips: u64,
    pub taken_back: u64,
    pub full_disks: u64,
    pub meddlings: u64,
    pub clock_jumps: u64,
    pub copies: u64,
    pub undone_files: u64,
    pub removed_segments: u64,
    pub set_aside_segments: u64,
}

impl Report {
    /// Adds what happened in another world.
    pub fn add(&mut self, other: &Self) {
        self.fingerprint ^= other.fingerprint;
        for ((_, count), (_, other)) in self.counts_mut().into_iter().zip(other.counts()) {
            *count += other;
        }
    }

    /// How often what happened, under its name.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let mut copy = *self;
        copy.counts_mut().into_iter().map(|(name, count)| (name, *count)).collect()
    }

    fn counts_mut(&mut self) -> Vec<(&'static str, &mut u64)> {
        vec![
            ("calls", &mut self.calls),
            ("events", &mut self.events),
            ("events that filters dropped", &mut self.dropped_by_filters),
            ("chunks", &mut self.chunks),
            ("large chunks", &mut self.large_chunks),
            ("messages given up", &mut self.given_up),
            ("messages given up in doubt", &mut self.given_up_in_doubt),
            ("events that file outputs gave up", &mut self.given_up_by_files),
            ("broken files", &mut self.broken_files),
            ("duplicates", &mut self.duplicates),
            ("lost acks", &mut self.lost_acks),
            ("starts", &mut self.starts),
            ("failed starts", &mut self.failed_starts),
            ("kills", &mut self.kills),
            ("power failures", &mut self.power_failures),
            ("clean stops", &mut self.clean_stops),
            ("failed journals", &mut self.failed_journals),
            ("uncertain skips", &mut self.uncertain_skips),
            ("taken back", &mut self.taken_back),
            ("full disks", &mut self.full_disks),
            ("meddlings", &mut self.meddlings),
            ("clock jumps", &mut self.clock_jumps),
            ("copies", &mut self.copies),
            ("undone files", &mut self.undone_files),
            ("removed segments", &mut self.removed_segments),
            ("segments set aside", &mut self.set_aside_segments),
        ]
    }
}

/// A world in which something was not as promised.
#[derive(Debug, Clone, thiserror::Error)]
#[error("seed {seed}: {what}")]
pub struct Failure {
    pub seed: u64,
    pub what: String,
    /// What happened before, the last thing last; empty unless [`Options::lines`] was set.
    pub lines: Vec<String>,
}
