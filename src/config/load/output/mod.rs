//! `[[output]]`

mod backlog;
mod file;
mod forward;
mod forward_servers;

pub(super) use file::timezone;

use super::document::{Read, did_you_mean};
use super::filter::{field_paths, tag_patterns};
use super::{Table, Value};
use crate::config::reference::{FILE_OUTPUT, FORWARD_OUTPUT, Section};
use crate::config::{OutputConfig, OutputKind, OutputTake, StartAt, WhenBacklogged};
use crate::pipeline::condition::Condition;

/// The sections of the single types.
pub(super) const TYPES: &[(&str, &Section)] = &[("file", &FILE_OUTPUT), ("forward", &FORWARD_OUTPUT)];

pub(super) fn output(table: &Table<'_>) -> Read<OutputConfig> {
    let id = table.value("id", Value::text);
    let kind = table.value("type", Value::choice);
    let pipeline = table.optional("pipeline", Value::text);
    let take = take(table);
    let start = table.value("start", Value::choice);
    let retry_min_interval = table.value("retry_min_interval", Value::time);
    let retry_max_interval = table.value("retry_max_interval", Value::time);
    if let (Ok(min), Ok(max)) = (&retry_min_interval, &retry_max_interval)
        && min > max
    {
        table.report("retry_max_interval", "`retry_max_interval` is shorter than `retry_min_interval`");
    }
    let backlog = backlog::backlog(
        table,
        if kind.as_ref().is_ok_and(|kind| *kind == "file") {
            WhenBacklogged::Block
        } else {
            WhenBacklogged::DeadLetter
        },
    );
    let kind = kind.and_then(|kind| match kind {
        "forward" => forward::forward(table).map(|forward| OutputKind::Forward(Box::new(forward))),
        _ => file::file(table).map(|file| OutputKind::File(Box::new(file))),
    });
    Ok(OutputConfig {
        id: id?,
        pipeline: pipeline?,
        take: take?,
        start: if start? == "oldest" { StartAt::Oldest } else { StartAt::Newest },
        retry_min_interval: retry_min_interval?,
        retry_max_interval: retry_max_interval?,
        backlog: backlog?,
        kind: kind?,
    })
}

fn take(table: &Table<'_>) -> Read<OutputTake> {
    let tags = table.optional("match", tag_patterns);
    let invalid = table.optional("invalid", Value::boolean);
    let fallback = table.optional("fallback", Value::boolean);
    let condition = table.optional("where", |value| value.syntax(Condition::parse));
    let require = table.value("require", field_paths);
    let (tags, invalid, fallback) = (tags?, invalid?.unwrap_or(false), fallback?.unwrap_or(false));
    if tags.is_none() && table.has("require") {
        table.report("require", "`require` narrows `match` and means nothing without it");
    }
    if tags.is_none() && table.has("pipeline") {
        table
            .report("pipeline", "`invalid` and `fallback` look at the events of all pipelines; leave it out");
    }
    if tags.is_none() && table.has("where") {
        table.report("where", "`where` narrows `match` and means nothing without it");
    }
    match (tags, invalid, fallback) {
        (Some(tags), false, false) => {
            Ok(OutputTake::Match { tags, condition: condition?, require: require? })
        }
        (None, true, false) => Ok(OutputTake::Invalid),
        (None, false, true) => Ok(OutputTake::Fallback),
        // That another output names it is checked when all are known.
        (None, false, false) => {
            let misspelt = ["match", "invalid", "fallback"].iter().find_map(|name| table.misspelt(name));
            misspelt.map_or(Ok(OutputTake::Secondary), Err)
        }
        (_, true, _) => Err(table.report("invalid", ONE_OF_THREE)),
        (_, _, true) => Err(table.report("fallback", ONE_OF_THREE)),
    }
}

const ONE_OF_THREE: &str = "only one of `match`, `invalid = true` and `fallback = true` is possible";
