//! The paths of an event, from the senders to where it belongs.

use std::time::Instant;

use serde_json::{Value, json};

use crate::Path;
use crate::load::Load;
use crate::scene::Scene;
use crate::upstream::Upstream;

/// What the server takes for the events of one path.
pub(crate) fn measure(scene: &Scene<'_>, path: Path) -> Value {
    let root = scene.path("").display().to_string();
    let upstream = Upstream::start();
    let output = match path {
        Path::Forward => {
            let address = upstream.address;
            format!("type = \"forward\"\nservers = [{{ address = \"{address}\" }}]")
        }
        Path::Json => format!("type = \"file\"\npath = \"{root}archive/all.log\""),
        _ => format!(
            "type = \"file\"\npath = \"{root}archive/{{customer_name}}/{{log_type}}/{{fqdn}}/%Y/%m/%d/%H.log.gz\""
        ),
    };
    let server = scene.server(&format!("[[output]]\nid = \"archive\"\nmatch = \"**\"\n{output}\n"));
    let before = server.processor_seconds();
    let started = Instant::now();
    let sent = scene.send(server.port, &Load::new(scene.arguments));
    let events = scene.arguments.events as f64;
    if path == Path::Forward {
        upstream.until_events(scene.arguments.events);
    } else {
        server.until_metric("fluentd_output_status_emit_records", events);
    }
    let seconds = started.elapsed().as_secs_f64();
    server.until_metric("fluentd_output_status_emit_records", events);
    let memory = server.memory("VmHWM");
    // With what is still to be written and synced.
    let processor = server.stop() - before;
    json!({
        "events": events,
        "delivered_events_a_second": events / seconds,
        "processor_seconds_a_million_events": processor / events * 1e6,
        "peak_memory_MiB": memory,
        "ack_p50_ms": sent.ack_p50_ms(),
        "ack_p99_ms": sent.ack_p99_ms(),
    })
}
