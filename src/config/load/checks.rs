//! What concerns several sections at once.

use std::net::IpAddr;

use super::Table;
use super::document::{Read, closest};
use crate::config::{
    FileOutputConfig, FilterConfig, InputConfig, JournalConfig, ListenAddress, OutputConfig, OutputKind,
    OutputTake, TestCase,
};

/// The journal needs this many segments: one that is written, one that is read, one that is being removed.
const MIN_SEGMENTS: u64 = 3;

/// A message may take up to this part of a segment, so that segments are not closed half empty.
const MESSAGES_IN_SEGMENT: u64 = 2;

/// Configurations without mistakes of their own, with the tables that they came from.
pub(super) fn complete<'t, 'a, T>(
    tables: &'t [Table<'a>],
    configs: &'t [Read<T>],
) -> Vec<(&'t Table<'a>, &'t T)> {
    tables.iter().zip(configs).filter_map(|(table, config)| Some((table, config.as_ref().ok()?))).collect()
}

pub(super) fn journal(table: &Table<'_>, journal: &JournalConfig, inputs: &[(&Table<'_>, &InputConfig)]) {
    let JournalConfig { max_size, segment_size, .. } = *journal;
    if max_size < MIN_SEGMENTS * segment_size {
        let name = if table.has("max_size") { "max_size" } else { "segment_size" };
        let least = MIN_SEGMENTS * segment_size;
        table.report(
            name,
            format!("`max_size` ({max_size} bytes) must be at least {MIN_SEGMENTS} × `segment_size`, {least} bytes"),
        );
    }
    if journal.dedup_max_ids_by_sender > journal.dedup_max_ids {
        let name =
            if table.has("dedup_max_ids_by_sender") { "dedup_max_ids_by_sender" } else { "dedup_max_ids" };
        table.report(name, "`dedup_max_ids_by_sender` is greater than `dedup_max_ids`");
    }
    let limit = segment_size / MESSAGES_IN_SEGMENT;
    for (table, input) in inputs {
        let in_memory = input.max_size_in_memory();
        if in_memory as u64 > limit {
            let name = if input.spools() { "spool_above" } else { "max_message_size" };
            table.report(
                name,
                format!(
                    "`{name}` ({in_memory} bytes) is more than half of `[journal]` `segment_size`, {limit} bytes; \
                     make one smaller or the other larger"
                ),
            );
        }
        // Beside the segment that is written and the next one.
        let least = (MIN_SEGMENTS - 1) * segment_size + input.max_message_size as u64;
        if input.spools() && max_size < least {
            table.report(
                "max_message_size",
                format!(
                    "`max_message_size` ({} bytes) and two segments are more than `[journal]` `max_size`, {max_size} \
                     bytes; make one smaller or the other larger",
                    input.max_message_size
                ),
            );
        }
    }
}

/// A backlog is left behind a segment at a time, and lies in the journal.
pub(super) fn backlogs(journal: &JournalConfig, outputs: &[(&Table<'_>, &OutputConfig)]) {
    let JournalConfig { max_size, segment_size, .. } = *journal;
    for (table, output) in outputs {
        if output.backlog.max_backlog.is_some_and(|max| !(segment_size..=max_size).contains(&max)) {
            table.report(
                "max_backlog",
                format!(
                    "`max_backlog` is not between `[journal]` `segment_size` ({segment_size} bytes) and `max_size` \
                     ({max_size} bytes)"
                ),
            );
        }
    }
}

/// An id names one input or output.
pub(super) fn ids(inputs: &[(&Table<'_>, &InputConfig)], outputs: &[(&Table<'_>, &OutputConfig)]) {
    let inputs = inputs.iter().map(|(table, input)| (*table, input.id.as_str()));
    let outputs = outputs.iter().map(|(table, output)| (*table, output.id.as_str()));
    let all: Vec<_> = inputs.chain(outputs).collect();
    for (index, (table, id)) in all.iter().enumerate() {
        if all[..index].iter().any(|(_, earlier)| earlier == id) {
            table.report("id", format!("another input or output has the id `{id}` already"));
        }
    }
}

/// A name tells tests apart.
pub(super) fn test_names(tests: &[(&Table<'_>, &TestCase)]) {
    for (index, (table, test)) in tests.iter().enumerate() {
        if tests[..index].iter().any(|(_, earlier)| earlier.name == test.name) {
            table.report("name", format!("another test is called `{}` already", test.name));
        }
    }
}

/// One output at most takes what is invalid, one what is left over; and what `require` refuses needs a place.
pub(super) fn takes(outputs: &[(&Table<'_>, &OutputConfig)]) {
    let mut invalid = None;
    let mut fallback = None;
    for (table, output) in outputs {
        let (name, first) = match output.take {
            OutputTake::Invalid => ("invalid", &mut invalid),
            OutputTake::Fallback => ("fallback", &mut fallback),
            OutputTake::Match { .. } | OutputTake::Secondary => continue,
        };
        match first {
            None => *first = Some(&output.id),
            Some(id) => {
                table.report(name, format!("output `{id}` has `{name} = true` already; only one may"));
            }
        }
    }
    for (table, output) in outputs {
        if matches!(&output.take, OutputTake::Match { require, .. } if !require.is_empty())
            && invalid.is_none()
        {
            table.report(
                "require",
                "what `require` refuses would have no place; add an output with `invalid = true`",
            );
        }
    }
}

/// What is given up goes to an output that takes nothing by itself, and only such a one may do without events of its own.
pub(super) fn secondaries(outputs: &[(&Table<'_>, &OutputConfig)]) {
    let mut named = Vec::new();
    for (table, output) in outputs {
        let give_up = match &output.kind {
            OutputKind::Forward(forward) => &forward.give_up,
            OutputKind::File(file) => &file.give_up,
        };
        if give_up.is_some() && matches!(output.take, OutputTake::Secondary) {
            table.report(
                "retry_timeout",
                "an output that gets what others gave up can't give up; leave it out",
            );
            continue;
        }
        let Some(id) = give_up.as_ref().and_then(|give_up| give_up.secondary.as_deref()) else { continue };
        named.push(id);
        match outputs.iter().find(|(_, other)| other.id == id) {
            None => {
                let meant = closest(id, outputs.iter().map(|(_, other)| other.id.as_str()));
                let suggestion = meant.map(|id| format!("; did you mean `{id}`?")).unwrap_or_default();
                table.report("secondary", format!("there is no output with the id `{id}`{suggestion}"));
                // That nobody names the other one is no second mistake.
                named.extend(meant);
            }
            Some((_, other)) if !matches!(other.take, OutputTake::Secondary) => {
                let message = format!("output `{id}` takes events by itself; name one without `match`");
                table.report("secondary", message);
            }
            Some((_, other)) if !matches!(other.kind, OutputKind::File(_)) => {
                table.report("secondary", format!("output `{id}` must be of `type = \"file\"`"));
            }
            Some(_) => {}
        }
    }
    for (table, output) in outputs {
        if matches!(output.take, OutputTake::Secondary) && !named.contains(&output.id.as_str()) {
            table.report(
                "",
                "which events? expected one of `match`, `invalid = true`, `fallback = true`, or `secondary` of another \
                 output with this id",
            );
        }
    }
}

/// What a filter finds invalid needs a place.
pub(super) fn judges(filters: &[(&Table<'_>, &FilterConfig)], outputs: &[(&Table<'_>, &OutputConfig)]) {
    if outputs.iter().any(|(_, output)| matches!(output.take, OutputTake::Invalid)) {
        return;
    }
    for (table, _) in filters.iter().filter(|(_, filter)| filter.kind.judges()) {
        let name = if table.has("on_error") { "on_error" } else { "type" };
        table.report(
            name,
            "events that it finds invalid would have no place; add an output with `invalid = true`",
        );
    }
}

/// Two filters that throttle the same events in the same way would be one count that goes up by two.
pub(super) fn throttles(filters: &[(&Table<'_>, &FilterConfig)]) {
    let mut known = Vec::new();
    for (table, filter) in filters {
        let Some(identity) = filter.throttle_identity() else { continue };
        if known.contains(&identity) {
            table.report("type", "an earlier filter throttles the same events in the same way; remove one");
        }
        known.push(identity);
    }
}

/// A file has one writer.
pub(super) fn paths(outputs: &[(&Table<'_>, &OutputConfig)]) {
    let mut files: Vec<(&str, &FileOutputConfig)> = Vec::new();
    for (table, output) in outputs {
        let OutputKind::File(file) = &output.kind else { continue };
        if let Some((earlier, _)) = files.iter().find(|(_, earlier)| earlier.path.may_equal(&file.path)) {
            table.report(
                "path",
                format!("could write the same file as output `{earlier}`; put them into different folders"),
            );
        }
        files.push((&output.id, file));
    }
}

/// An address has one listener; port 0 is a different one each time.
pub(super) fn listeners(listeners: &[(&Table<'_>, ListenAddress)]) {
    for (index, (table, address)) in listeners.iter().enumerate() {
        if let Some((_, earlier)) = listeners[..index].iter().find(|(_, earlier)| overlap(earlier, address)) {
            table.report("listen", format!("{address} is taken by another listener of this file, {earlier}"));
        }
    }
}

fn overlap(left: &ListenAddress, right: &ListenAddress) -> bool {
    let (ListenAddress::Tcp(left), ListenAddress::Tcp(right)) = (left, right) else {
        return left == right;
    };
    left.port() == right.port()
        && left.port() != 0
        && (left.ip() == right.ip() || covers(left.ip(), right.ip()) || covers(right.ip(), left.ip()))
}

/// `0.0.0.0` stands for every IPv4 address, `::` for every address.
fn covers(wide: IpAddr, other: IpAddr) -> bool {
    wide.is_unspecified() && (wide.is_ipv6() || other.is_ipv4())
}
