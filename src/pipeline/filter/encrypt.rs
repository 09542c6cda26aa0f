//! `type = "encrypt"`: values that only the key opens.

use super::Draft;
use crate::config::KeyFile;
use crate::pipeline::field_cipher::FieldCipher;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::record::Fate;
use crate::wire::msgpack::{Token, read, write_str};

#[derive(Debug)]
pub(super) struct Encrypt {
    fields: Vec<(FieldPath, String)>,
    cipher: FieldCipher,
}

impl Encrypt {
    pub(super) fn new(fields: Vec<FieldPath>, key: &KeyFile) -> Self {
        let fields = fields.into_iter().map(|field| (field.clone(), field.to_string())).collect();
        Self { fields, cipher: FieldCipher::new(key) }
    }

    /// Nil stays nil. What looks encrypted already is encrypted again: a peer could have written it.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, text: &mut Vec<u8>) {
        let place = draft.place();
        for (field, name) in &self.fields {
            draft.record.rewrite(field, |value, out| {
                if read(value, &mut 0) == Ok(Token::Nil) {
                    return Fate::Stays;
                }
                text.clear();
                self.cipher.encrypt(&place, name, value, text);
                write_str(out, text);
                Fate::Replaced
            });
        }
    }
}
