//! Whether an event costs the same however much the journal holds.

use std::time::Instant;

use serde_json::{Value, json};

use crate::load::Load;
use crate::scene::{LARGE_JOURNAL, Scene, forward};
use crate::upstream::ClosedUpstream;

/// Parts of as many events each.
const PARTS: usize = 10;

pub(crate) fn measure(scene: &Scene<'_>) -> Value {
    let arguments = scene.arguments;
    let upstream = ClosedUpstream::new();
    let outputs = forward(upstream.address);
    let load = Load { rate: None, ..Load::new(arguments) };
    let events = load.events as f64;

    let (server, start_on_nothing) = timed(|| scene.server_with(LARGE_JOURNAL, &outputs));
    let parts: Vec<(f64, f64)> = (0..PARTS)
        .map(|_| {
            let before = server.processor_seconds();
            let sent = scene.send(server.port, &load);
            ((server.processor_seconds() - before) / events * 1e6, sent.ack_p99_ms())
        })
        .collect();
    let bytes = server.metric("hikyaku_journal_bytes");
    let memory = server.peak.memory();
    drop(server);
    let (server, start) = timed(|| scene.server_with(LARGE_JOURNAL, &outputs));
    let memory_of_start = server.memory("VmHWM");
    drop(server);
    let ((first, first_ack), (last, last_ack)) = (parts[0], parts[PARTS - 1]);
    json!({
        "events_of_a_part": events,
        "parts": PARTS,
        "journal_MiB": bytes / f64::from(1 << 20),
        "first:_processor_seconds_a_million_events": first,
        "last:_processor_seconds_a_million_events": last,
        "first:_ack_p99_ms": first_ack,
        "last:_ack_p99_ms": last_ack,
        "peak_memory_MiB": memory,
        "start_on_nothing_ms": start_on_nothing * 1e3,
        "start_on_all_of_it_ms": start * 1e3,
        "start_on_all_of_it_peak_memory_MiB": memory_of_start,
    })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed().as_secs_f64())
}
