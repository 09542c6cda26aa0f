//! What outputs left behind, as `hikyaku dead-letter ls` shows it.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::segments::{Found, LeftBehind, Totals, times, totals};

/// Of each output its segments.
pub(super) fn json(found: &Found) -> Value {
    let outputs = found.by_output().map(|segments| {
        let Totals { chunks, events, bytes, .. } = totals(segments);
        json!({
            "output": segments[0].output,
            "chunks": chunks,
            "events": events,
            "bytes": bytes,
            "segments": segments.iter().map(segment).collect::<Vec<_>>(),
        })
    });
    outputs.collect()
}

fn segment(left: &LeftBehind) -> Value {
    let times = times(&left.rest);
    json!({
        "segment": left.segment.segment,
        "from": left.segment.from.position.to_string(),
        "chunks": left.rest.chunks,
        "events": left.rest.events,
        "bytes": left.segment.bytes,
        "first_received_at": times.map(|(first, _)| format!("{first:.9}")),
        "last_received_at": times.map(|(_, last)| format!("{last:.9}")),
        "set_aside_at": jiff::Timestamp::try_from(left.segment.since).ok().map(|since| format!("{since:.3}")),
    })
}

/// One line an output; nothing where none left anything behind.
pub(super) fn print_text(out: &mut impl Write, found: &Found) -> io::Result<()> {
    if found.segments.is_empty() {
        return Ok(());
    }
    let width =
        found.segments.iter().map(|left| left.output.chars().count()).max().unwrap_or_default().max(6);
    writeln!(
        out,
        "{:>9}  {:>9}  {:>10}  {:>12}  {:20}  {:20}  {:20}  {:width$}",
        "SEGMENTS",
        "CHUNKS",
        "EVENTS",
        "BYTES",
        "FIRST RECEIVED",
        "LAST RECEIVED",
        "SET ASIDE",
        "LEFT BEHIND BY"
    )?;
    for segments in found.by_output() {
        let all = totals(segments);
        let first = segments.iter().filter_map(|left| times(&left.rest)).map(|(first, _)| first).min();
        let last = segments.iter().filter_map(|left| times(&left.rest)).map(|(_, last)| last).max();
        let since = segments.iter().map(|left| left.segment.since).min();
        let since = since.and_then(|since| jiff::Timestamp::try_from(since).ok());
        let text = |time: Option<jiff::Timestamp>| time.map_or("-".to_owned(), |time| format!("{time:.0}"));
        writeln!(
            out,
            "{:>9}  {:>9}  {:>10}  {:>12}  {:20}  {:20}  {:20}  {:width$}",
            all.segments,
            all.chunks,
            all.events,
            all.bytes,
            text(first),
            text(last),
            text(since),
            segments[0].output
        )?;
    }
    Ok(())
}
