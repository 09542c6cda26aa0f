//! `[[test]]`

mod value;

use std::net::IpAddr;
use std::path::Path;

use jiff::tz::TimeZone;

use super::document::{Read, did_you_mean};
use super::{Table, Value};
use crate::config::reference::{TEST_CHUNK, TEST_EVENT, TEST_EXPECTED, TEST_SENDER};
use crate::config::{Config, ExpectedEvent, InputConfig, TestCase, TestChunk, TestEvent};
use crate::event_time::EventTime;
use crate::pipeline::Trial;
use crate::pipeline::time_source::iso_8601;
use crate::sender::{Sender, SenderCertificate};
use value::{json_object, record};

/// Midnight of 2026-01-01 UTC: when a chunk is received that does not say.
const RECEIVED_AT: i64 = 1_767_225_600_000_000_000;

/// Reads one test of `file`, of this configuration.
pub(super) fn test_case(table: &Table<'_>, file: &Path, config: &Config) -> Read<TestCase> {
    let name = table.value("name", Value::text);
    let server = table.value("server", Value::text);
    let chunks = chunks(table, config, server.as_deref().unwrap_or_default());
    let expected = table.value("expect", |value| {
        let outputs: Vec<_> =
            (value.map()?.into_iter()).map(|(id, at, value)| expected(config, id, at, value)).collect();
        outputs.into_iter().collect::<Read<Vec<_>>>()
    });
    let others = table.value("others", Value::choice);
    Ok(TestCase {
        name: name?,
        file: file.to_owned(),
        line: table.line(),
        server: server?,
        chunks: chunks?,
        expected: expected?,
        others_may_take: others? == "anything",
    })
}

/// Where a chunk comes from, as far as a table says it.
struct Origin<'c> {
    input: Option<&'c InputConfig>,
    tag: Option<String>,
    sender: Option<Sender>,
    received_at: Option<EventTime>,
}

/// One chunk, whose keys are those of the test, or several, for which those of the test are defaults.
fn chunks(table: &Table<'_>, config: &Config, server: &str) -> Read<Vec<TestChunk>> {
    let origin = origin(table, config);
    let events = table.optional("events", self::events);
    let several = table.optional("chunks", |value| {
        let tables: Vec<_> =
            value.clone().list()?.into_iter().map(|chunk| chunk.table(&TEST_CHUNK)).collect();
        let tables = tables.into_iter().collect::<Read<Vec<_>>>()?;
        if tables.is_empty() {
            return Err(value.report("the list of chunks is empty"));
        }
        Ok(tables)
    });
    let (origin, several) = (origin?, several?);
    match (events?, several) {
        (Some(_), Some(_)) => {
            Err(table.report("chunks", "only one of `events` and `chunks`: each chunk has its own"))
        }
        (None, None) => {
            Err(table.report("name", "what comes in? add `events`, or `chunks` with events each"))
        }
        (Some(events), None) => Ok(vec![chunk(table, config, &origin, None, server, events)?]),
        (None, Some(several)) => {
            let chunks: Vec<_> = several
                .iter()
                .map(|table| {
                    let own = self::origin(table, config);
                    let events = table.value("events", self::events);
                    chunk(table, config, &own?, Some(&origin), server, events?)
                })
                .collect();
            chunks.into_iter().collect()
        }
    }
}

fn chunk(
    table: &Table<'_>,
    config: &Config,
    own: &Origin<'_>,
    test: Option<&Origin<'_>>,
    server: &str,
    events: Vec<TestEvent>,
) -> Read<TestChunk> {
    let input = own.input.or(test.and_then(|test| test.input)).or(config.inputs.first());
    let Some(sent) = own.tag.clone().or_else(|| test?.tag.clone()) else {
        return Err(table.report("events", "which `tag` does it come with?"));
    };
    let sender = own.sender.clone().or_else(|| test?.sender.clone());
    let received_at = own.received_at.or(test.and_then(|test| test.received_at));
    let trial = Trial {
        tag: input.map_or_else(|| sent.clone(), |input| input.tagged(&sent)),
        input: input.map(|input| input.id.clone()).unwrap_or_default(),
        sender: sender.unwrap_or_else(|| Sender::from_address(IpAddr::from([192, 0, 2, 1]))),
        received_at: received_at.unwrap_or(EventTime::from_unix_nanoseconds(RECEIVED_AT)),
        server: server.to_owned(),
    };
    Ok(TestChunk { trial, events })
}

fn origin<'c>(table: &Table<'_>, config: &'c Config) -> Read<Origin<'c>> {
    let tag = table.optional("tag", Value::text);
    let input = table.optional("input", |value| {
        let id = value.clone().text()?;
        config.inputs.iter().find(|input| input.id == id).ok_or_else(|| {
            let ids = config.inputs.iter().map(|input| input.id.as_str());
            value.report(format!("the configuration has no input `{id}`{}", did_you_mean(&id, ids)))
        })
    });
    let sender = table.optional("sender", |value| sender(&value.table(&TEST_SENDER)?));
    let received_at = table.optional("received_at", time);
    Ok(Origin { input: input?, tag: tag?, sender: sender?, received_at: received_at? })
}

fn events(value: Value<'_>) -> Read<Vec<TestEvent>> {
    let events: Vec<_> = value.list()?.into_iter().map(event).collect();
    events.into_iter().collect()
}

fn sender(table: &Table<'_>) -> Read<Sender> {
    let address = table.value("address", |value| {
        value.string()?.value.parse::<IpAddr>().map_err(|_| value.report("expected an IP address"))
    });
    let subject = table.optional("subject", Value::text);
    let names = table.value("san", |value| {
        let names: Vec<_> = value.list()?.into_iter().map(|name| Ok(name.string()?.value)).collect();
        names.into_iter().collect::<Read<Vec<_>>>()
    });
    let host_name = table.optional("host_name", Value::text);
    let user = table.optional("user", Value::text);
    let identity = table.optional("identity", Value::text);
    let (address, host_name, user) = (address?, host_name?, user?);
    let sender = match subject? {
        None => Sender::from_address(address),
        Some(subject) => {
            let (alternative_names, fingerprint) = (names?, "0".repeat(64));
            Sender::from_certificate(address, SenderCertificate { subject, alternative_names, fingerprint })
        }
    };
    if user.is_some() && host_name.is_none() {
        return Err(table.report("user", "`user` means nothing without `host_name`"));
    }
    let sender = match host_name {
        None => sender,
        Some(host_name) => sender.named(host_name, user),
    };
    Ok(match identity? {
        None => sender,
        Some(identity) => Sender { identity, ..sender },
    })
}

fn event(value: Value<'_>) -> Read<TestEvent> {
    let table = value.table(&TEST_EVENT)?;
    let time = table.optional("time", time);
    let record = table.value("record", record);
    Ok(TestEvent { time: time?, record: record? })
}

/// The events of one output.
fn expected(
    config: &Config,
    id: &str,
    at: std::ops::Range<usize>,
    value: Value<'_>,
) -> Read<(String, Vec<ExpectedEvent>)> {
    if config.outputs.iter().all(|output| output.id != id) {
        let suggestion = did_you_mean(id, config.outputs.iter().map(|output| output.id.as_str()));
        return Err(value
            .document
            .report(&at, format!("the configuration has no output `{id}`{suggestion}")));
    }
    if value.value.as_str() == Some("nothing") {
        return Ok((id.to_owned(), Vec::new()));
    }
    if !value.value.is_array() {
        return Err(value.report("expected a list of events, `[]` or `\"nothing\"`"));
    }
    let events: Vec<_> = value.list()?.into_iter().map(expected_event).collect();
    Ok((id.to_owned(), events.into_iter().collect::<Read<_>>()?))
}

fn expected_event(value: Value<'_>) -> Read<ExpectedEvent> {
    let table = value.table(&TEST_EXPECTED)?;
    let text = |name| table.optional(name, |value| Ok(value.string()?.value));
    let (tag, path, line) = (text("tag"), text("path"), text("line"));
    let time = table.optional("time", time);
    let record = table.optional("record", json_object);
    let fields = table.optional("fields", json_object);
    Ok(ExpectedEvent { tag: tag?, path: path?, time: time?, record: record?, fields: fields?, line: line? })
}

/// In quotes or as TOML has it.
fn time(value: Value<'_>) -> Read<EventTime> {
    let text = match value.value {
        toml::de::DeValue::Datetime(time) => time.to_string(),
        _ => value.string()?.value,
    };
    iso_8601(text.as_bytes(), &TimeZone::UTC)
        .ok_or_else(|| value.report("expected a time such as \"2026-02-17T10:00:00Z\""))
}
