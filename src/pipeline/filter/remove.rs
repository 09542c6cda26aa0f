//! `type = "remove"`: removes fields.

use crate::pipeline::field_path::FieldPath;
use crate::pipeline::record::RecordEditor;

#[derive(Debug)]
pub(super) struct Remove {
    pub(super) fields: Vec<FieldPath>,
}

impl Remove {
    pub(super) fn apply(&self, record: &mut RecordEditor<'_>) {
        for path in &self.fields {
            record.remove(path);
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
