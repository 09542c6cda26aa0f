//! What senders wait for while one of two outputs is down, and while it catches up.

use serde_json::{Value, json};

use crate::load::Load;
use crate::process::Server;
use crate::scene::{LARGE_JOURNAL, Scene, archive, forward};
use crate::upstream::{ClosedUpstream, Upstream};

const RATE: u64 = 50_000;

/// Events in a message: at least a thousand acknowledgements are worth a percentile.
const CHUNK: u64 = 500;

pub(crate) fn measure(scene: &Scene<'_>) -> Value {
    let arguments = scene.arguments;
    let rate = arguments.rate.unwrap_or(RATE);
    let load =
        Load { events: rate * arguments.seconds, chunk: CHUNK, rate: Some(rate), ..Load::new(arguments) };
    let mut result = json!({ "events_a_second": rate });
    let mut part = |name: &str, server: &Server| {
        let before = server.processor_seconds();
        let sent = scene.send(server.port, &load);
        let processor = server.processor_seconds() - before;
        result[format!("{name}:_ack_p50_ms")] = json!(sent.ack_p50_ms());
        result[format!("{name}:_ack_p99_ms")] = json!(sent.ack_p99_ms());
        result[format!("{name}:_processor_seconds_a_second")] = json!(processor / arguments.seconds as f64);
        result[format!("{name}:_peak_memory_MiB")] = json!(server.peak.memory());
    };
    let outputs = |address| format!("{}{}", archive(scene, "all.log"), forward(address));

    let up = Upstream::start();
    let server = scene.server_with(LARGE_JOURNAL, &outputs(up.address));
    part("up", &server);
    drop(server);

    let closed = ClosedUpstream::new();
    let server = scene.server_with(LARGE_JOURNAL, &outputs(closed.address));
    part("down", &server);
    // So that catching up takes long enough.
    scene.send(server.port, &Load { rate: None, ..Load::new(arguments) });
    drop(server);

    let server = scene.server_with(LARGE_JOURNAL, &outputs(closed.address));
    let upstream = closed.open();
    upstream.until_events(1);
    part("catching_up", &server);
    let caught_up = upstream.events() >= 2 * load.events + arguments.events - CHUNK;
    result["catching_up:_done_meanwhile"] = json!(caught_up);
    drop(server);
    result
}
