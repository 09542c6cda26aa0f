//! What the journal counts.

use prometheus::{Counter, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use super::{counter, counter_family, gauge, gauge_family, latency, register};

/// The metrics of the journal.
#[derive(Debug, Clone)]
pub struct JournalMetrics {
    /// Bytes of segment files, allocated space included.
    pub bytes: IntGauge,
    /// The configured limit of the same.
    pub max_bytes: IntGauge,
    /// Bytes of segments that every output has passed: kept for `retain`, or still to be removed.
    pub retained_bytes: IntGauge,
    /// Those of them that are to be removed.
    pub removable_bytes: IntGauge,
    /// Bytes of memory with what was written lately.
    pub memory_bytes: IntGauge,
    /// Bytes of chunks that wait for the writer.
    pub queued_bytes: IntGauge,
    /// Segment files.
    pub segments: IntGauge,
    /// 1 while the journal takes chunks, 0 while it refuses (full, or failed).
    pub accepting: IntGauge,
    /// Chunks written.
    pub chunks: IntCounter,
    /// Chunks recognised as a resend of one that is kept already.
    pub duplicates: IntCounter,
    /// Chunks with the id of another of the same sender, kept because they proved to be new: equal content.
    pub equal_chunks: IntCounter,
    /// Those of `duplicates` that may have been equal content.
    doubtful_resends: IntCounterVec,
    /// Bytes of entries that were to be packed, before it; nothing where `journal.compression` is `none`.
    pub unpacked_bytes: IntCounter,
    /// Bytes of the same as they went into the journal.
    pub packed_bytes: IntCounter,
    /// Syncs done; chunks over syncs is the size of a group commit.
    pub syncs: IntCounter,
    /// Seconds that one sync took.
    pub sync_time: Histogram,
    /// Seconds that the writer waited for readers that would have fallen out of memory.
    pub paced_time: Counter,
    /// Bytes of torn tails cut back at start: never acknowledged.
    pub torn_bytes: IntCounter,
    /// Bytes that were synced once and do not read back: set aside.
    pub damaged_bytes: IntCounter,
    /// Segments that should be there and were missing, at start or while it ran.
    pub missing_segments: IntCounter,
    /// Chunk ids remembered.
    pub dedup_ids: IntGauge,
    /// Bytes of files with the ids of removed segments, in whole blocks.
    pub dedup_bytes: IntGauge,
    /// Chunk ids forgotten before their window was over.
    pub dedup_evicted: IntCounter,
    /// Events in segments that an output left behind undelivered, by output and what became of them.
    pub skipped_records: IntCounterVec,
    /// Bytes of the same, as they lie in the journal.
    pub skipped_bytes: IntCounterVec,
    /// Bytes of segments that are set aside, by output.
    pub set_aside_bytes: IntGaugeVec,
}

impl JournalMetrics {
    /// For a journal that nobody asks about.
    pub(crate) fn unregistered() -> Self {
        Self::new(&Registry::new())
    }

    /// For the journal of what outputs give up: of it only what is wrong with it, under names of its own.
    pub(super) fn of_given_up(registry: &Registry) -> Self {
        let count = |name, help| register(registry, counter(name, help));
        let level = |name, help| register(registry, gauge(name, help));
        Self {
            bytes: level(
                "hikyaku_given_up_journal_bytes",
                "Bytes of the segments with what outputs gave up, allocated space included.",
            ),
            max_bytes: level(
                "hikyaku_given_up_journal_max_bytes",
                "Bytes of the same at which outputs that give up wait.",
            ),
            accepting: level(
                "hikyaku_given_up_journal_accepting",
                "1 while outputs can give up, 0 while those that would have to wait.",
            ),
            damaged_bytes: count(
                "hikyaku_given_up_journal_damaged_bytes_total",
                "Bytes of what outputs gave up that were synced and no longer read back; they are set aside.",
            ),
            missing_segments: count(
                "hikyaku_given_up_journal_missing_segments_total",
                "Segments of what outputs gave up that were missing at start: somebody removed them.",
            ),
            ..Self::unregistered()
        }
    }

    pub(super) fn new(registry: &Registry) -> Self {
        let count = |name, help| register(registry, counter(name, help));
        let level = |name, help| register(registry, gauge(name, help));
        Self {
            bytes: level(
                "hikyaku_journal_bytes",
                "Bytes of journal segments on disk, allocated space included.",
            ),
            max_bytes: level("hikyaku_journal_max_bytes", "Bytes of journal segments at which senders wait."),
            retained_bytes: level(
                "hikyaku_journal_retained_bytes",
                "Bytes of journal segments that every output has delivered, kept for replays (journal.retain) or to be removed.",
            ),
            removable_bytes: level(
                "hikyaku_journal_removable_bytes",
                "Bytes of journal segments that nobody needs any more and that are still to be removed.",
            ),
            memory_bytes: level(
                "hikyaku_journal_memory_bytes",
                "Bytes of memory with recent chunks (journal.memory).",
            ),
            queued_bytes: level("hikyaku_journal_queued_bytes", "Bytes of chunks that wait for the journal's writer."),
            segments: level("hikyaku_journal_segments", "Journal segment files."),
            accepting: level(
                "hikyaku_journal_accepting",
                "1 while the journal takes chunks, 0 while it does not.",
            ),
            chunks: count("hikyaku_journal_chunks_total", "Chunks written to the journal."),
            duplicates: count(
                "hikyaku_journal_duplicate_chunks_total",
                "Chunks that were sent again and recognised by sender, tag and id.",
            ),
            equal_chunks: count(
                "hikyaku_journal_equal_chunks_total",
                "Chunks whose id is a hash of their content and known already, kept as new: their sender had the ack.",
            ),
            doubtful_resends: register(
                registry,
                counter_family(
                    "hikyaku_journal_doubtful_resends_total",
                    "Resends whose id is a hash of their content, so that they may have been equal content.",
                    &["reason"],
                ),
            ),
            unpacked_bytes: count(
                "hikyaku_journal_uncompressed_bytes_total",
                "Bytes of entries that journal.compression was for, as they came.",
            ),
            packed_bytes: count(
                "hikyaku_journal_compressed_bytes_total",
                "Bytes of the same entries as they went into the journal.",
            ),
            syncs: count("hikyaku_journal_syncs_total", "Syncs of the journal."),
            sync_time: register(
                registry,
                Histogram::with_opts(latency("hikyaku_journal_sync_seconds", "Time that a sync took."))
                    .expect("metric names are valid"),
            ),
            paced_time: register(
                registry,
                Counter::new(
                    "hikyaku_journal_paced_seconds_total",
                    "Seconds between commits given to outputs that would have fallen out of memory (journal.pace).",
                )
                .expect("metric names are valid"),
            ),
            torn_bytes: count(
                "hikyaku_journal_torn_bytes_total",
                "Bytes of half-written tails cut back at start, which nothing says were ever synced.",
            ),
            damaged_bytes: count(
                "hikyaku_journal_damaged_bytes_total",
                "Bytes that were synced and no longer read back; they are set aside.",
            ),
            missing_segments: count(
                "hikyaku_journal_missing_segments_total",
                "Segments that should be there and were missing, at start or while it ran: somebody removed them.",
            ),
            dedup_bytes: level(
                "hikyaku_journal_dedup_bytes",
                "Bytes on the disk of chunk ids that removed segments left behind.",
            ),
            dedup_ids: level("hikyaku_journal_dedup_ids", "Chunk ids remembered to recognise resends."),
            dedup_evicted: count(
                "hikyaku_journal_dedup_evicted_total",
                "Chunk ids forgotten before their window was over, because a limit was reached.",
            ),
            skipped_records: register(
                registry,
                counter_family(
                    "hikyaku_output_skipped_records_total",
                    "Events in journal segments that the output left behind, set aside or dropped, whether or not it \
                     would have taken them.",
                    &["output", "what"],
                ),
            ),
            skipped_bytes: register(
                registry,
                counter_family(
                    "hikyaku_output_skipped_bytes_total",
                    "Bytes of journal segments that the output left behind, set aside or dropped.",
                    &["output", "what"],
                ),
            ),
            set_aside_bytes: register(
                registry,
                gauge_family(
                    "hikyaku_output_set_aside_bytes",
                    "Bytes of journal segments that are set aside for the output.",
                    &["output"],
                ),
            ),
        }
    }

    /// Counts a resend of which it is not certain that it is one; `None`: it is.
    pub fn doubtful_resend(&self, reason: Option<&str>) {
        if let Some(reason) = reason {
            self.doubtful_resends.with_label_values(&[reason]).inc();
        }
    }
}
