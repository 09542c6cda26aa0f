//! The keys of [`BacklogConfig`].

use super::super::document::Read;
use super::super::{Table, Value};
use crate::config::{BacklogConfig, WhenBacklogged};

/// `default`: what outputs of this type do.
pub(super) fn backlog(table: &Table<'_>, default: WhenBacklogged) -> Read<BacklogConfig> {
    let max_backlog = table.optional("max_backlog", Value::size);
    let when_backlogged = table.optional("when_backlogged", Value::choice);
    let max_set_aside = table.value("max_set_aside", Value::size);
    Ok(BacklogConfig {
        max_backlog: max_backlog?,
        when_backlogged: match when_backlogged? {
            Some("dead_letter") => WhenBacklogged::DeadLetter,
            Some("drop_oldest") => WhenBacklogged::DropOldest,
            Some(_) => WhenBacklogged::Block,
            None => default,
        },
        max_set_aside: max_set_aside?,
    })
}
