//! Any value as JSON, in one pass over its bytes.

use super::text::JsonText;
use crate::wire::msgpack::{MAX_DEPTH, Token, read, skip};

impl JsonText<'_> {
    /// Appends the encoded value that `bytes` begin with. Where they end too early, which the journal's readers rule out,
    /// what is open is closed.
    #[inline]
    pub(crate) fn value(&mut self, bytes: &[u8]) {
        let mut at = 0;
        match text(bytes, &mut at) {
            Some((bytes, length)) => self.string(bytes, length),
            None => {
                self.other_value(bytes, &mut at, 0);
            }
        }
    }

    /// Appends the value at `at`, and passes over it; whether it is there. Recursion ends at [`MAX_DEPTH`].
    fn value_at(&mut self, bytes: &[u8], at: &mut usize, depth: usize) -> bool {
        match text(bytes, at) {
            Some((bytes, length)) => {
                self.string(bytes, length);
                true
            }
            None => self.other_value(bytes, at, depth),
        }
    }

    fn other_value(&mut self, bytes: &[u8], at: &mut usize, depth: usize) -> bool {
        let start = *at;
        match read(bytes, at) {
            Ok(Token::Array(_) | Token::Map(_)) if depth == MAX_DEPTH => {
                self.constant(b"null");
                *at = skip(bytes, start).unwrap_or(bytes.len());
                true
            }
            Ok(Token::Array(length)) => self.array(length, bytes, at, depth + 1),
            Ok(Token::Map(length)) => self.map(length, bytes, at, depth + 1),
            Ok(token) => {
                self.scalar(token);
                true
            }
            Err(_) => {
                self.constant(b"null");
                false
            }
        }
    }

    fn array(&mut self, length: u32, bytes: &[u8], at: &mut usize, depth: usize) -> bool {
        self.byte(b'[');
        let mut is_whole = true;
        for index in 0..length {
            if index > 0 {
                self.byte(b',');
            }
            is_whole = self.value_at(bytes, at, depth);
            if !is_whole {
                break;
            }
        }
        self.byte(b']');
        is_whole
    }

    fn map(&mut self, length: u32, bytes: &[u8], at: &mut usize, depth: usize) -> bool {
        let mut before = b'{';
        let mut is_whole = true;
        for _ in 0..length {
            is_whole = self.key_at(before, bytes, at);
            if !is_whole {
                break;
            }
            before = b',';
            is_whole = self.value_at(bytes, at, depth);
            if !is_whole {
                break;
            }
        }
        if before == b'{' {
            self.byte(b'{');
        }
        self.byte(b'}');
        is_whole
    }

    /// Appends what comes before a value of a map; nothing where the key is not all there.
    #[inline]
    fn key_at(&mut self, before: u8, bytes: &[u8], at: &mut usize) -> bool {
        let start = *at;
        if let Some((bytes, length)) = text(bytes, at) {
            self.name(before, bytes, length);
            return true;
        }
        let Ok(end) = skip(bytes, start) else { return false };
        self.byte(before);
        self.key(&bytes[start..end]);
        self.byte(b':');
        *at = end;
        true
    }

    /// Appends an encoded map key as a JSON string.
    pub(crate) fn key(&mut self, key: &[u8]) {
        match read(key, &mut 0) {
            Ok(Token::Array(_) | Token::Map(_)) | Err(_) => {
                self.constant(b"\"msgpack:");
                self.hex(key);
                self.byte(b'"');
            }
            Ok(token @ (Token::Str(_) | Token::Bin(_) | Token::Ext(..))) => self.scalar(token),
            Ok(token) => {
                self.byte(b'"');
                self.scalar(token);
                self.byte(b'"');
            }
        }
    }
}

/// Passes over text that is not long: the bytes from its first one on, and how many are its.
#[inline]
fn text<'a>(bytes: &'a [u8], at: &mut usize) -> Option<(&'a [u8], usize)> {
    let (head, length) = match *bytes.get(*at..)? {
        [marker @ 0xa0..=0xbf, ..] => (1, usize::from(marker & 0x1f)),
        [0xd9, length, ..] => (2, usize::from(length)),
        _ => return None,
    };
    let text = &bytes[*at + head..];
    if length > text.len() {
        return None;
    }
    *at += head + length;
    Some((text, length))
}

#[cfg(test)]
mod tests {
    use super::super::tests::json;
    use super::*;
    use crate::wire::msgpack::write_map;

    #[test]
    fn containers_nest_up_to_the_limit_and_are_null_past_it() {
        let nested = |depth| json(&[vec![0x91; depth], vec![0x01]].concat());
        assert_eq!(nested(MAX_DEPTH), format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
        assert_eq!(nested(MAX_DEPTH + 1), format!("{}null{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
        assert_eq!(
            json(b"\x82\xa1a\x90\xa1b\x82\xa1c\x92\x01\x80\xa1d\xc0"),
            r#"{"a":[],"b":{"c":[1,{}],"d":null}}"#
        );
    }

    #[test]
    fn bytes_that_end_too_early_still_give_json() {
        let mut value = Vec::new();
        write_map(&mut value, 2);
        value.extend_from_slice(b"\xa1a\x92\x01\x81\xa1b\x02\xa3\xe3\x81\x82\x93\x01\x02\x03");
        for length in 0..=value.len() {
            let text = json(&value[..length]);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{length}: {text}");
        }
        assert_eq!(json(&value), r#"{"a":[1,{"b":2}],"あ":[1,2,3]}"#);
    }

    #[test]
    fn what_comes_behind_a_value_has_no_part_in_it() {
        for value in [&b"\xa3abc"[..], b"\xd9\x03abc", b"\x05", b"\xc0", b"\x81\xa1a\xa1b", b"\xc4\x01a"] {
            let alone = json(value);
            assert_eq!(json(&[value, b"\xa1x\xc3\"behind, more than a block of it\""].concat()), alone);
        }
    }

    /// A value and its JSON, put together beside each other.
    fn any_value() -> impl proptest::strategy::Strategy<Value = (Vec<u8>, String)> {
        use proptest::prelude::*;
        let text = |text: String| {
            let mut value = Vec::new();
            crate::wire::msgpack::write_str(&mut value, text.as_bytes());
            (value, serde_json::to_string(&text).unwrap())
        };
        let leaf = prop_oneof![
            (0..0x80u8).prop_map(|number| (vec![number], number.to_string())),
            Just((vec![0xc0], "null".to_owned())),
            "[ -~]{0,40}".prop_map(text),
            // serde_json has the same short names for the same five control characters.
            "\\PC{0,300}".prop_map(text),
        ];
        leaf.prop_recursive(5, 64, 8, move |inner| {
            let array = proptest::collection::vec(inner.clone(), 0..20).prop_map(|values| {
                let mut value = Vec::new();
                crate::wire::msgpack::write_array(&mut value, values.len() as u32);
                value.extend(values.iter().flat_map(|(bytes, _)| bytes));
                let texts: Vec<_> = values.iter().map(|(_, text)| text.as_str()).collect();
                (value, format!("[{}]", texts.join(",")))
            });
            let map = proptest::collection::vec(("[a-z\"]{0,40}", inner), 0..20).prop_map(move |pairs| {
                let mut value = Vec::new();
                write_map(&mut value, pairs.len() as u32);
                let mut texts = Vec::new();
                for (key, (bytes, json)) in pairs {
                    let (key, key_json) = text(key);
                    value.extend(key);
                    value.extend(bytes);
                    texts.push(format!("{key_json}:{json}"));
                }
                (value, format!("{{{}}}", texts.join(",")))
            });
            prop_oneof![array, map]
        })
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_written_as_it_is_put_together((value, expected) in any_value()) {
            proptest::prop_assert_eq!(json(&value), expected);
        }
    }
}
