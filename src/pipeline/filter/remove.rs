//! `type = "remove"`: removes fields.

use super::Draft;
use crate::pipeline::field_path::FieldPath;

#[derive(Debug)]
pub(super) struct Remove {
    pub(super) fields: Vec<FieldPath>,
}

impl Remove {
    pub(super) fn apply(&self, draft: &mut Draft<'_>) {
        for path in &self.fields {
            draft.record.remove(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::filtered;
    use crate::config::FilterKind;
    use crate::pipeline::field_path::FieldPath;

    #[test]
    fn fields_go_at_every_depth() {
        let fields =
            ["a", "b.c", "missing", "b.x.y"].iter().map(|path| FieldPath::parse(path).unwrap()).collect();
        assert_eq!(
            filtered(FilterKind::Remove { fields }, b"\x82\xa1a\x01\xa1b\x82\xa1c\x01\xa1d\x02"),
            r#""b"={"d":2} "#
        );
    }
}
