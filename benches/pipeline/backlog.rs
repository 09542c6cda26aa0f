//! Delivering what lies in the journal, beside delivering what comes.

use std::thread::sleep;
use std::time::Instant;

use serde_json::{Value, json};

use crate::load::Load;
use crate::process::{PATIENCE, POLL, Server};
use crate::scene::{LARGE_JOURNAL, Scene, archive, forward};
use crate::upstream::ClosedUpstream;
use crate::{Path, delivery};

pub(crate) fn measure(scene: &Scene<'_>) -> Value {
    let arguments = scene.arguments;
    let upstream = ClosedUpstream::new();
    let held = forward(upstream.address);
    let server = scene.server_with(LARGE_JOURNAL, &held);
    scene.send(server.port, &Load::new(arguments));
    let down = server.peak.memory();
    drop(server);

    let archive = archive(scene, "all.log").replace("type =", "start = \"oldest\"\ntype =");
    let server = scene.server_with(LARGE_JOURNAL, &archive);
    let taken = || server.metric("fluentd_output_status_emit_records") as u64;
    let to_json = drained(&server, arguments.events, taken);
    drop(server);

    let server = scene.server_with(LARGE_JOURNAL, &held);
    let upstream = upstream.open();
    let to_upstream = drained(&server, arguments.events, || upstream.events());
    drop(server);

    let beside = |path| delivery::measure(&Scene::new(arguments), path)["delivered_events_a_second"].take();
    json!({
        "events": arguments.events,
        "peak_memory_MiB_while_down": down,
        "json:_events_a_second_as_they_come": beside(Path::Json),
        "json:_events_a_second_of_the_backlog": to_json.events_a_second,
        "json:_processor_seconds_a_million_events": to_json.processor_seconds,
        "json:_peak_memory_MiB": to_json.memory,
        "forward:_events_a_second_as_they_come": beside(Path::Forward),
        "forward:_events_a_second_of_the_backlog": to_upstream.events_a_second,
        "forward:_processor_seconds_a_million_events": to_upstream.processor_seconds,
        "forward:_peak_memory_MiB": to_upstream.memory,
    })
}

struct Drained {
    events_a_second: f64,
    processor_seconds: f64,
    memory: f64,
}

/// What an output makes of so many events, from the first of them on: one that was down tries again only now and then.
#[allow(clippy::disallowed_methods, reason = "asking without a pause would be part of what is measured")]
fn drained(server: &Server, events: u64, delivered: impl Fn() -> u64) -> Drained {
    let until = |at_least| {
        let started = Instant::now();
        while delivered() < at_least {
            assert!(started.elapsed() < PATIENCE, "{} events are delivered and not {at_least}", delivered());
            sleep(POLL);
        }
    };
    until(1);
    let (started, before, first) = (Instant::now(), server.processor_seconds(), delivered());
    until(events);
    let events = (events - first) as f64;
    Drained {
        events_a_second: events / started.elapsed().as_secs_f64(),
        processor_seconds: (server.processor_seconds() - before) / events * 1e6,
        memory: server.peak.memory(),
    }
}
