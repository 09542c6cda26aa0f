//! An archive of very many files.

use std::path::Path;

use serde_json::{Value, json};

use crate::load::Load;
use crate::scene::{Scene, archive};

pub(crate) fn measure(scene: &Scene<'_>) -> Value {
    let arguments = scene.arguments;
    let server = scene.server(&archive(scene, "{customer_name}/{log_type}/{fqdn}/%Y/%m/%d/%H.log.gz"));
    let load = Load { customers: arguments.files, ..Load::new(arguments) };
    let before = server.processor_seconds();
    let sent = scene.send(server.port, &load);
    let events = load.events as f64;
    server.until_metric("fluentd_output_status_emit_records", events);
    let (acknowledging, delivering) = (server.peak.descriptors(), server.peak.memory());
    let peak = server.peak.clone();
    let processor = server.stop() - before;
    json!({
        "files": count_files(&scene.path("archive")),
        "events": events,
        "acknowledged_events_a_second": sent.events_a_second(),
        "processor_seconds_a_million_events": processor / events * 1e6,
        "peak_memory_MiB": delivering,
        "peak_memory_MiB_with_the_last_flush": peak.memory(),
        "peak_descriptors": acknowledging,
        "peak_descriptors_with_the_last_flush": peak.descriptors(),
        "ack_p50_ms": sent.ack_p50_ms(),
        "ack_p99_ms": sent.ack_p99_ms(),
    })
}

fn count_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.file_type().unwrap().is_dir() { count_files(&entry.path()) } else { 1 })
        .sum()
}
