//! Many connections that send a little each.

use serde_json::{Value, json};

use crate::load::Load;
use crate::scene::{Scene, archive};

/// Events in a message, and of a connection each second.
const EACH: u64 = 50;

/// Seconds in which all of them connect.
const SETTLE: u64 = 3;

pub(crate) fn measure(scene: &Scene<'_>) -> Value {
    let arguments = scene.arguments;
    let load =
        Load { chunk: EACH, connections: arguments.small, window: 1, settle: SETTLE, ..Load::new(arguments) };
    let rate = arguments.rate.unwrap_or(u64::from(arguments.small) * EACH);
    let mut result = json!({ "connections": arguments.small, "events_a_second": rate });
    let paced = Load { events: rate * arguments.seconds, rate: Some(rate), ..load };
    for (name, load) in
        [("at_this_rate", paced), ("as_fast_as_acknowledged", Load { rate: None, settle: 0, ..load })]
    {
        let server = scene.server(&archive(scene, "all.log"));
        let taken = || server.metric("fluentd_output_status_emit_records");
        let sending = scene.start_sending(server.port, &load);
        // Their handshakes are measured elsewhere.
        server.until_metric("hikyaku_input_connections", arguments.small.into());
        let (before, taken_before) = (server.processor_seconds(), taken());
        let sent = sending.finish();
        server.until_metric("fluentd_output_status_emit_records", load.events as f64);
        let events = load.events as f64 - taken_before;
        let peak = server.peak.clone();
        let processor = server.stop() - before;
        result[format!("{name}:_acknowledged_events_a_second")] = json!(sent.events_a_second());
        result[format!("{name}:_processor_seconds_a_million_events")] = json!(processor / events * 1e6);
        result[format!("{name}:_peak_memory_MiB")] = json!(peak.memory());
        result[format!("{name}:_ack_p50_ms")] = json!(sent.ack_p50_ms());
        result[format!("{name}:_ack_p99_ms")] = json!(sent.ack_p99_ms());
    }
    result
}
