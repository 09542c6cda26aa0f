//! `type = "hash"`: HMAC-SHA-256 in place of a value. The same value has the same hash, so that events can still be
//! brought together; without the key nobody can try values until one fits.

use aws_lc_rs::hmac;

use super::Draft;
use crate::config::KeyFile;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::json::{write_plain, write_value};
use crate::pipeline::record::Fate;
use crate::wire::msgpack::{Token, read, write_str};

#[derive(Debug)]
pub(super) struct Hash {
    fields: Vec<FieldPath>,
    key: hmac::Key,
    length: usize,
}

impl Hash {
    pub(super) fn new(fields: Vec<FieldPath>, key: &KeyFile, length: usize) -> Self {
        Self { fields, key: hmac::Key::new(hmac::HMAC_SHA256, key.reveal()), length }
    }

    /// Hashes the text of a value, of an array or a map its JSON. Nil stays nil.
    pub(super) fn apply(&self, draft: &mut Draft<'_>, text: &mut Vec<u8>) {
        for field in &self.fields {
            draft.record.rewrite(field, |value, out| {
                text.clear();
                match read(value, &mut 0) {
                    Ok(Token::Nil) => return Fate::Stays,
                    Ok(Token::Array(_) | Token::Map(_)) | Err(_) => write_value(text, value),
                    Ok(token) => write_plain(text, token),
                }
                let hash = hmac::sign(&self.key, text);
                let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
                let mut hex = [0; 64];
                for (place, digit) in hex.iter_mut().zip(digits) {
                    *place = b"0123456789abcdef"[usize::from(digit)];
                }
                write_str(out, &hex[..self.length.min(hex.len())]);
                Fate::Replaced
            });
        }
    }
}
