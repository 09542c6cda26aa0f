//! Lines of events: filtered, routed, formatted, and sorted by file.

use std::collections::HashMap;
use std::convert::Infallible;

use super::archive::Archive;
use super::format::Formatter;
use super::give_up::{Fate, GiveUp, Hopeless};
use super::lines::Lines;
use super::slots::Slots;
use crate::chunk::HandedOver;
use crate::config::FileOutputConfig;
use crate::journal::StoredChunk;
use crate::metrics::OutputMetrics;
use crate::output::disowned::DisownedReport;
use crate::output::inflater::Inflater;
use crate::pipeline::template::PathRenderer;
use crate::pipeline::throttle_state::ThrottleState;
use crate::pipeline::{Pipeline, Selector, Source};
use crate::planted::{Bug, is_planted};

/// Lines for the events that are an output's.
#[derive(Debug)]
pub(super) struct EventLines {
    id: String,
    selector: Selector,
    /// For what another output gave up: filters and routes had their say.
    unfiltered: Selector,
    /// For what was set aside and is retried: old events, which must not count into windows of today.
    retried: Selector,
    formatter: Formatter,
    paths: PathRenderer,
    slots: Slots,
    key: Vec<u8>,
    inflater: Inflater,
    /// Records by tag that are in the buffers of their files.
    staged: HashMap<Box<[u8]>, u64>,
    /// Records that are in their files and not saved.
    unsaved: u64,
    disowned: DisownedReport,
    give_up: Option<GiveUp>,
    /// What filters had counted when everything was in its file, of new events and of those that are retried.
    written: [ThrottleState; 2],
    /// What they have counted by now, while chunks are read once more.
    counted: Option<[ThrottleState; 2]>,
    metrics: OutputMetrics,
}

impl EventLines {
    pub(super) fn new(
        id: &str,
        config: &FileOutputConfig,
        pipeline: &Pipeline,
        give_up: Option<GiveUp>,
        metrics: OutputMetrics,
    ) -> Self {
        Self {
            id: id.to_owned(),
            selector: pipeline
                .selector(id)
                .expect("the pipeline is made from the configuration that this output is in"),
            unfiltered: pipeline.unfiltered(id),
            retried: pipeline
                .selector(id)
                .expect("the pipeline is made from the configuration that this output is in"),
            formatter: Formatter::new(&config.format, &config.inject),
            paths: PathRenderer::new(&config.path, &config.path_characters, config.timezone.clone()),
            slots: Slots::default(),
            key: Vec::new(),
            inflater: Inflater::default(),
            staged: HashMap::new(),
            unsaved: 0,
            disowned: DisownedReport::default(),
            give_up,
            written: Default::default(),
            counted: None,
            metrics,
        }
    }

    /// The entries that are to be looked at, and by what; `None` where there are none.
    fn selector_for(&self, chunk: &StoredChunk) -> Option<(Choice, u32)> {
        if !chunk.is_handed_over() {
            return Some((Choice::Filtered, 0));
        }
        match chunk.handed_over().filter(|handed_over| handed_over.to == self.id)? {
            HandedOver { as_received: None, .. } => Some((Choice::Unfiltered, 0)),
            HandedOver { as_received: Some(as_received), .. } => {
                Some((Choice::Retried, as_received.delivered))
            }
        }
    }

    fn both_throttled(&self) -> [ThrottleState; 2] {
        [&self.selector, &self.retried].map(|selector| selector.throttled().clone())
    }
}

/// What a chunk goes through.
#[derive(Debug, Clone, Copy)]
enum Choice {
    Filtered,
    /// For what another output gave up, or this one before: filters and routes had their say.
    Unfiltered,
    /// For what was set aside and is retried: old events, which must not count into windows of today.
    Retried,
}

impl Lines for EventLines {
    fn take(&mut self, chunk: &StoredChunk, archive: &mut Archive) {
        let Some((choice, delivered_before)) = self.selector_for(chunk) else { return };
        let Self { selector, unfiltered, retried, formatter, paths, slots, key, inflater, give_up, .. } =
            self;
        let selector = match choice {
            Choice::Filtered => selector,
            Choice::Unfiltered => unfiltered,
            Choice::Retried => retried,
        };
        let tag = chunk.tag();
        let selector = selector.at(chunk.position);
        if chunk.is_refused() || !selector.wants(chunk.input(), tag) {
            return;
        }
        let entries = match inflater.entries(chunk) {
            Ok(entries) => entries,
            Err(error) => {
                // The input inflated it before it was acknowledged, and the journal's checksum holds.
                tracing::error!(
                    output = self.id, position = %chunk.position, %error,
                    "a chunk in the journal does not inflate: please report this, with the output of hikyaku journal cat"
                );
                self.metrics.dead_letter("does_not_inflate", u64::from(chunk.entry_count()));
                return;
            }
        };
        let alternative_names: Vec<_> = chunk.alternative_names().collect();
        let source = Source::of(chunk, &alternative_names);
        let (mut passed_over, mut handed_over) = (0, 0);
        let asks_for_each = give_up.as_mut().is_some_and(|give_up| give_up.begin(chunk));
        let taken = selector.for_each_from(&source, chunk.first_index(), entries, |event| {
            if event.index < delivered_before {
                passed_over += 1;
                return Ok(());
            }
            paths.render_key(event, key);
            let known = if asks_for_each { None } else { slots.get(key) };
            let appended = known.and_then(|slot| archive.append(slot, |out| formatter.write(event, out)));
            if appended.is_none() {
                // The first event of its file since the last flush, or one of a file that was given up.
                let path = paths.render_path(event);
                match give_up.as_mut().map_or(Fate::Written, |give_up| give_up.fate(chunk, &path, event)) {
                    Fate::Written => {}
                    Fate::HandedOver => {
                        handed_over += 1;
                        return Ok(());
                    }
                    Fate::PassedOver => {
                        passed_over += 1;
                        return Ok(());
                    }
                }
                let slot = archive.slot(&path);
                slots.insert(key, slot);
                archive
                    .append(slot, |out| formatter.write(event, out))
                    .expect("a slot is good until the next flush");
            }
            Ok::<(), Infallible>(())
        });
        let Ok(tally) = taken;
        if let Some(give_up) = give_up {
            give_up.end(chunk, &Hopeless::new());
        }
        self.metrics.filtered(tally.dropped, tally.joined);
        self.metrics.filter_failures(selector.failures());
        self.disowned.report(chunk, &tally.disowned, &self.metrics);
        let taken = tally.taken - passed_over;
        self.metrics.emit_records.inc_by(taken);
        let taken = taken - handed_over;
        if taken > 0 {
            match self.staged.get_mut(tag) {
                Some(count) => *count += taken,
                None => {
                    self.staged.insert(tag.into(), taken);
                }
            }
        }
    }

    fn give_up(&mut self) -> Option<&mut GiveUp> {
        self.give_up.as_mut()
    }

    fn hand_over(&mut self, chunk: &StoredChunk, files: &Hopeless) {
        let Some((choice, delivered_before)) = self.selector_for(chunk) else { return };
        let Self { selector, unfiltered, retried, paths, inflater, give_up: Some(give_up), .. } = self else {
            return;
        };
        let selector = match choice {
            Choice::Filtered if is_planted(Bug::UnfilteredHandOver) => unfiltered,
            Choice::Filtered => selector,
            Choice::Unfiltered => unfiltered,
            Choice::Retried => retried,
        };
        let selector = selector.at(chunk.position);
        if chunk.is_refused() || !selector.wants(chunk.input(), chunk.tag()) {
            return;
        }
        // That it does not inflate was told when it was taken.
        let Ok(entries) = inflater.entries(chunk) else { return };
        let alternative_names: Vec<_> = chunk.alternative_names().collect();
        let source = Source::of(chunk, &alternative_names);
        let mut handed_over = 0;
        give_up.begin(chunk);
        let walked = selector.for_each_from(&source, chunk.first_index(), entries, |event| {
            if event.index >= delivered_before {
                let path = paths.render_path(event);
                handed_over += u64::from(files.contains_key(&path) && give_up.take(&path, event));
            }
            Ok::<(), Infallible>(())
        });
        let Ok(_) = walked;
        give_up.end(chunk, files);
        // They were to be in their file.
        if let Some(staged) = self.staged.get_mut(chunk.tag()) {
            *staged = staged.saturating_sub(handed_over);
        }
    }

    fn begin_handing_over(&mut self) {
        self.slots.clear();
        self.counted = Some(self.both_throttled());
        let [selector, retried] = self.written.clone();
        self.selector.restore(selector);
        self.retried.restore(retried);
    }

    fn end_handing_over(&mut self) {
        if let Some([selector, retried]) = self.counted.take() {
            self.selector.restore(selector);
            self.retried.restore(retried);
        }
    }

    fn throttled(&self) -> ThrottleState {
        self.selector.throttled().clone()
    }

    fn resume(&mut self, encoded: Option<&[u8]>) {
        self.selector.resume(encoded);
        self.counted = None;
        if self.give_up.is_some() {
            self.written = self.both_throttled();
        }
    }

    fn written(&mut self) {
        self.slots.clear();
        if let Some(give_up) = &mut self.give_up {
            give_up.written();
            self.written = self.both_throttled();
        }
        for (tag, count) in self.staged.drain() {
            self.metrics.delivered(&tag, count);
            self.unsaved += count;
        }
    }

    fn saved(&mut self) {
        self.unsaved = 0;
    }

    fn abandoned(&mut self) {
        self.slots.clear();
        if let Some(give_up) = &mut self.give_up {
            give_up.abandoned();
        }
        let staged: u64 = self.staged.drain().map(|(_, count)| count).sum();
        self.metrics.abandoned_records.inc_by(staged + std::mem::take(&mut self.unsaved));
    }
}
