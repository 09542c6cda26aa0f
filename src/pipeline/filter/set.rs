//! `type = "set"`: writes fields, replacing what is there.

use super::{Draft, Scratch};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::ValueTemplate;

#[derive(Debug)]
pub(super) struct Set {
    pub(super) fields: Vec<(FieldPath, ValueTemplate)>,
}

impl Set {
    /// In the order of the configuration; a later field sees what an earlier one wrote.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, scratch: &mut Scratch) {
        for (path, template) in &self.fields {
            let value = scratch.renderer.render(template, &draft.event());
            draft.record.set(path, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fields, filtered};
    use crate::config::FilterKind;

    #[test]
    fn a_later_field_sees_what_an_earlier_one_wrote() {
        let kind = FilterKind::Set {
            fields: fields(&[("log_type", "{tag[0]}"), ("copy", "{log_type}"), ("a.b", "{a}")]),
        };
        assert_eq!(filtered(kind, b"\x81\xa1a\x01"), r#""a"={"b":1} "log_type"="nginx" "copy"="nginx" "#);
    }
}
