//! `allow` and `owners` of an input: who may write what.

use crate::pipeline::field_path::FieldPath;
use crate::pipeline::ownership::SenderPattern;
use crate::pipeline::template::SenderTemplate;

/// What the senders of an input may write. The rows that are about a sender add up.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnershipConfig {
    /// `allow`, which is about every sender, and then `owners` in the order of the file; at least one.
    pub rows: Vec<OwnershipRow>,
}

/// Some senders, and what they may write.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnershipRow {
    pub senders: SenderPattern,
    /// At least one field, with at least one value each.
    pub fields: Vec<(FieldPath, Vec<SenderTemplate>)>,
}

impl OwnershipConfig {
    /// The fields that are bound for at least one sender; some several times.
    pub fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.rows.iter().flat_map(|row| &row.fields).map(|(field, _)| field)
    }
}
