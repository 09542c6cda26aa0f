//! Lines of events: filtered, routed, formatted, and sorted by file.

use std::collections::HashMap;
use std::convert::Infallible;

use super::archive::Archive;
use super::format::Formatter;
use super::lines::{Inflater, Lines};
use super::slots::Slots;
use crate::chunk::HandedOver;
use crate::config::FileOutputConfig;
use crate::journal::StoredChunk;
use crate::metrics::OutputMetrics;
use crate::output::disowned::DisownedReport;
use crate::pipeline::template::PathRenderer;
use crate::pipeline::throttle_state::ThrottleState;
use crate::pipeline::{Pipeline, Selector, Source};

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
    metrics: OutputMetrics,
}

impl EventLines {
    pub(super) fn new(
        id: &str,
        config: &FileOutputConfig,
        pipeline: &Pipeline,
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
            metrics,
        }
    }
}

impl Lines for EventLines {
    fn take(&mut self, chunk: &StoredChunk, archive: &mut Archive) {
        let Self { selector, unfiltered, retried, formatter, paths, slots, key, inflater, .. } = self;
        let mut delivered_before = 0;
        let selector = if chunk.is_handed_over() {
            match chunk.handed_over().filter(|handed_over| handed_over.to == self.id) {
                None => return,
                Some(HandedOver { as_received: None, .. }) => unfiltered,
                Some(HandedOver { as_received: Some(as_received), .. }) => {
                    delivered_before = as_received.delivered;
                    retried
                }
            }
        } else {
            selector
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
        let mut passed_over = 0;
        let taken = selector.for_each_from(&source, chunk.first_index(), entries, |event| {
            if event.index < delivered_before {
                passed_over += 1;
                return Ok(());
            }
            paths.render_key(event, key);
            let known = slots.get(key);
            let appended = known.and_then(|slot| archive.append(slot, |out| formatter.write(event, out)));
            if appended.is_none() {
                // The first event of its file since the last flush.
                let slot = archive.slot(&paths.render_path(event));
                slots.insert(key, slot);
                archive
                    .append(slot, |out| formatter.write(event, out))
                    .expect("a slot is good until the next flush");
            }
            Ok::<(), Infallible>(())
        });
        let Ok(tally) = taken;
        self.metrics.filtered(tally.dropped, tally.joined);
        self.disowned.report(chunk, &tally.disowned, &self.metrics);
        let taken = tally.taken - passed_over;
        if taken > 0 {
            self.metrics.emit_records.inc_by(taken);
            match self.staged.get_mut(tag) {
                Some(count) => *count += taken,
                None => {
                    self.staged.insert(tag.into(), taken);
                }
            }
        }
    }

    fn throttled(&self) -> ThrottleState {
        self.selector.throttled().clone()
    }

    fn resume(&mut self, encoded: Option<&[u8]>) {
        self.selector.resume(encoded);
    }

    fn written(&mut self) {
        self.slots.clear();
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
        let staged: u64 = self.staged.drain().map(|(_, count)| count).sum();
        self.metrics.abandoned_records.inc_by(staged + std::mem::take(&mut self.unsaved));
    }
}
