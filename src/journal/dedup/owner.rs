//! Whose an id is.

use std::sync::Arc;

use crate::chunk::{AsReceived, HandedOver};

/// What the ids of chunks begin with that were dead letters; the letter's own id follows.
pub(crate) const RETRY_ID: &str = "hikyaku retry ";

/// Under which name an id is remembered, and with which time of receipt, where that is not its sender's: old events among
/// those of today would make the ids of their sender grow old, and take up its quota.
///
/// The names are such as no sender has. That of a retried letter holds its sender's, since anybody can make up its id.
/// Letters are retried one after the other, so that of all these ids only the newest is ever asked for.
pub(in crate::journal) fn owner_of_id(
    sender: &str,
    id: Option<&[u8]>,
    received_at: i64,
    handed_over: Option<&HandedOver>,
) -> Option<(Arc<str>, i64)> {
    if let Some(HandedOver { to, as_received: Some(AsReceived { retried_at, .. }), .. }) = handed_over {
        return Some((format!("@retried {to}").into(), *retried_at));
    }
    let is_letter = id.is_some_and(|id| id.starts_with(RETRY_ID.as_bytes()));
    is_letter.then(|| (format!("@retried letters of {sender}").into(), received_at))
}
