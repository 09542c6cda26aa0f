//! `type = "sanitize"`: text without what could hurt whoever reads it.

use super::Draft;
use crate::config::SanitizeConfig;
use crate::pipeline::nested::as_text;
use crate::pipeline::record::{Fate, Texts};
use crate::wire::msgpack::write_str;

#[derive(Debug)]
pub(super) struct Sanitize {
    config: SanitizeConfig,
}

impl Sanitize {
    pub(super) fn new(config: SanitizeConfig) -> Self {
        Self { config }
    }

    pub(super) fn apply(&self, draft: &mut Draft<'_>, text: &mut Vec<u8>) {
        if self.config.fields.is_empty() {
            let texts = Texts { keys: self.config.keys, numbers: false };
            draft.record.rewrite_texts(texts, |text, out| self.clean(text, out));
        }
        for field in &self.config.fields {
            draft.record.rewrite(field, |value, out| {
                text.clear();
                match as_text(value) {
                    Some(old) if self.clean(old, text) => write_str(out, text),
                    _ => return Fate::Stays,
                }
                Fate::Replaced
            });
        }
    }

    /// Appends the text as it is safe; whether that is any different.
    fn clean(&self, text: &[u8], out: &mut Vec<u8>) -> bool {
        if self.is_clean(text) {
            return false;
        }
        let start = out.len();
        let limit = self.config.max_length.unwrap_or(usize::MAX);
        let characters = text.utf8_chunks().flat_map(|chunk| {
            let broken = (!chunk.invalid().is_empty()).then_some(None);
            chunk.valid().chars().map(Some).chain(broken)
        });
        for character in characters {
            let mut encoded = [0; 4];
            let written: &[u8] = match character.filter(|character| self.stays(*character)) {
                Some(character) => character.encode_utf8(&mut encoded).as_bytes(),
                None => self.config.replacement.as_bytes(),
            };
            if out.len() - start + written.len() > limit {
                break;
            }
            out.extend_from_slice(written);
        }
        true
    }

    #[inline]
    fn stays(&self, character: char) -> bool {
        match &self.config.characters {
            Some(set) => set.contains(character),
            None => !character.is_control(),
        }
    }

    fn is_clean(&self, text: &[u8]) -> bool {
        if text.len() > self.config.max_length.unwrap_or(usize::MAX) {
            return false;
        }
        match std::str::from_utf8(text) {
            // Without a way out of the loop it takes many bytes at a time.
            Ok(text) if self.config.characters.is_none() && text.is_ascii() => {
                !text.bytes().fold(false, |found, byte| found | byte.is_ascii_control())
            }
            Ok(text) => text.chars().all(|character| self.stays(character)),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::characters::CharacterSet;

    fn cleaned(
        characters: Option<&str>,
        replacement: &str,
        max_length: Option<usize>,
        text: &[u8],
    ) -> String {
        let sanitize = Sanitize::new(SanitizeConfig {
            fields: Vec::new(),
            keys: false,
            characters: characters.map(|set| CharacterSet::parse(set).unwrap()),
            replacement: replacement.to_owned(),
            max_length,
        });
        let mut out = Vec::new();
        if !sanitize.clean(text, &mut out) {
            out = text.to_vec();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_that_do_not_stay_are_replaced_one_by_one() {
        assert_eq!(cleaned(Some("a-zA-Z0-9_-"), "_", None, b"a b/c.d"), "a_b_c_d");
        assert_eq!(cleaned(Some("a-z"), "", None, "飛a脚".as_bytes()), "a");
        assert_eq!(cleaned(None, "?", None, b"\x1b[31mred\r\n\x7f"), "?[31mred???");
        assert_eq!(cleaned(None, "?", None, "飛脚\u{85}".as_bytes()), "飛脚?");
        assert_eq!(cleaned(None, "?", None, b"a\xffb\xe3\x81"), "a?b?");
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(cleaned(None, "_", Some(4), b"abcd"), "abcd");
        assert_eq!(cleaned(None, "_", Some(4), b"abcde"), "abcd");
        assert_eq!(cleaned(None, "_", Some(4), "飛脚".as_bytes()), "飛");
        assert_eq!(cleaned(None, "long", Some(4), b"\0\0"), "long");
    }
}
