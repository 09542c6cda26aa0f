//! Where a filter may bring what a sender chose.

use crate::config::{FilterKind, MultilineConfig, ParseConfig};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::ValueTemplate;

/// The fields into which a filter may write what comes from elsewhere in the event.
#[derive(Debug, Clone)]
pub(in crate::pipeline) enum Writes {
    Fields(Vec<FieldPath>),
    /// Any, under names that the event says.
    Anything,
}

impl Writes {
    /// Errs to [`Anything`](Self::Anything): a kind of filter that is not known here is watched.
    pub(in crate::pipeline) fn of(kind: &FilterKind) -> Self {
        let senders_word =
            |(field, value): &(FieldPath, ValueTemplate)| (!value.is_operators_word()).then(|| field.clone());
        Self::Fields(match kind {
            FilterKind::Set { fields } | FilterKind::Default { fields } => {
                fields.iter().filter_map(senders_word).collect()
            }
            FilterKind::Rename { fields } => fields.iter().map(|(_, to)| to.clone()).collect(),
            FilterKind::Level(level) => vec![level.to.clone()],
            FilterKind::Parse(ParseConfig { into: Some(field), .. })
            | FilterKind::Multiline(MultilineConfig { field, .. }) => vec![field.clone()],
            FilterKind::Sanitize(config) if !config.keys => Vec::new(),
            FilterKind::Mask(config) if !config.keys => Vec::new(),
            // Nothing new comes into a field: it goes, or becomes what the filter makes of its own value.
            FilterKind::Remove { .. }
            | FilterKind::Keep { .. }
            | FilterKind::Time(_)
            | FilterKind::Hash { .. }
            | FilterKind::Encrypt { .. }
            | FilterKind::Drop
            | FilterKind::KeepIf { .. }
            | FilterKind::Sample { .. }
            | FilterKind::Throttle(_)
            | FilterKind::Retag { .. }
            | FilterKind::Relabel { .. }
            | FilterKind::Validate(_) => Vec::new(),
            // Parsed text into the record itself, keys that change their names.
            _ => return Self::Anything,
        })
    }

    /// Whether one of these fields can be written: it, what is in it, or what it is in.
    pub(super) fn reaches(&self, bound: &[&FieldPath]) -> bool {
        match self {
            Self::Anything => !bound.is_empty(),
            Self::Fields(fields) => fields.iter().any(|field| {
                bound.iter().any(|bound| {
                    bound.keys().starts_with(field.keys()) || field.keys().starts_with(bound.keys())
                })
            }),
        }
    }
}
