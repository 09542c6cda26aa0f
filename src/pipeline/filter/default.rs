//! `type = "default"`: writes fields that are missing, nil or empty text.

use super::{Draft, Scratch};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::record::is_blank;
use crate::pipeline::template::ValueTemplate;

#[derive(Debug)]
pub(super) struct Default {
    pub(super) fields: Vec<(FieldPath, ValueTemplate)>,
}

impl Default {
    pub(super) fn apply(&self, draft: &mut Draft<'_>, scratch: &mut Scratch) {
        for (path, template) in &self.fields {
            // Most events have the field, and then its default need not be rendered.
            if draft.record.fields().get(path).is_none_or(is_blank) {
                let value = scratch.renderer.render(template, &draft.event());
                draft.record.set_default(path, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fields, filtered};
    use crate::config::FilterKind;

    #[test]
    fn only_what_is_missing_nil_or_empty_is_written() {
        let kind = FilterKind::Default {
            fields: fields(&[("severity", "info"), ("a", "x"), ("b", "x"), ("c", "x"), ("c.d", "x")]),
        };
        assert_eq!(
            filtered(kind, b"\x83\xa1a\x00\xa1b\xc0\xa1c\xa0"),
            r#""a"=0 "b"="x" "c"="x" "severity"="info" "#
        );
    }
}
