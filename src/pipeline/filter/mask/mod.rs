//! `type = "mask"`: hides text. One file a kind of thing that it knows by itself.

mod address;
mod card;
mod contents;
mod mail;
mod token;

use std::ops::Range;

use regex::bytes::Regex;

use self::contents::{AT, COLON, Contents, DIGIT, DOT};
use self::token::TokenFinder;
use super::{Draft, Scratch};
use crate::config::{Detector, MaskConfig};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::record::{Fate, Texts};
use crate::wire::msgpack::{Token, read, write_str};

#[derive(Debug)]
pub(super) struct Mask {
    fields: Vec<FieldPath>,
    finders: Vec<Finder>,
    keys: bool,
    replacement: Vec<u8>,
}

#[derive(Debug)]
enum Finder {
    Mail,
    Card,
    Token(TokenFinder),
    Ipv4,
    Ipv6,
    Pattern(Regex),
}

impl Mask {
    pub(super) fn new(config: MaskConfig) -> Self {
        let detectors = config.detect.iter().map(|detector| match detector {
            Detector::Mail => Finder::Mail,
            Detector::Card => Finder::Card,
            Detector::Token => Finder::Token(TokenFinder::new()),
            Detector::Ipv4 => Finder::Ipv4,
            Detector::Ipv6 => Finder::Ipv6,
        });
        // Tokens first: they may hold what looks like something else, and would be cut in two.
        let mut finders: Vec<_> = detectors.chain(config.patterns.into_iter().map(Finder::Pattern)).collect();
        finders.sort_by_key(|finder| !matches!(finder, Finder::Token(_)));
        Self {
            fields: config.fields,
            finders,
            keys: config.keys,
            replacement: config.replacement.into_bytes(),
        }
    }

    pub(super) fn apply(&self, draft: &mut Draft<'_>, scratch: &mut Scratch) {
        let Scratch { text, more, .. } = scratch;
        if self.fields.is_empty() {
            let texts = Texts { keys: self.keys, numbers: true };
            draft.record.rewrite_texts(texts, |old, out| self.hide(old, out, text));
        }
        for field in &self.fields {
            draft.record.rewrite(field, |value, out| {
                if self.finders.is_empty() {
                    write_str(out, &self.replacement);
                    return Fate::Replaced;
                }
                let is_container = matches!(read(value, &mut 0), Ok(Token::Array(_) | Token::Map(_)));
                let texts = Texts { keys: is_container, numbers: true };
                let hide = |old: &[u8], out: &mut Vec<u8>| self.hide(old, out, more);
                match crate::pipeline::record::rewrite_texts_of(out, value, texts, hide) {
                    true => Fate::Replaced,
                    false => Fate::Stays,
                }
            });
        }
    }

    /// Appends the text without what is hidden; whether there was any.
    fn hide(&self, text: &[u8], out: &mut Vec<u8>, other: &mut Vec<u8>) -> bool {
        let start = out.len();
        let contents = Contents::of(text);
        let mut found = false;
        for finder in &self.finders {
            if found {
                // What one finder left is the text of the next.
                other.clear();
                other.extend_from_slice(&out[start..]);
                if finder.find(other, 0).is_some() {
                    out.truncate(start);
                    self.replace(finder, other, out);
                }
            } else if finder.may_find(contents, text.len()) {
                found = self.replace(finder, text, out);
            }
        }
        found
    }

    /// Appends the text with each match replaced; nothing where there is none.
    fn replace(&self, finder: &Finder, text: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(mut hit) = finder.find(text, 0) else { return false };
        let mut copied = 0;
        loop {
            out.extend_from_slice(&text[copied..hit.start]);
            out.extend_from_slice(&self.replacement);
            copied = hit.end;
            match finder.find(text, copied) {
                Some(next) => hit = next,
                None => break,
            }
        }
        out.extend_from_slice(&text[copied..]);
        true
    }
}

impl Finder {
    /// Whether a text of this length with these contents can hold a match.
    #[inline]
    fn may_find(&self, contents: Contents, length: usize) -> bool {
        match self {
            Self::Mail => contents.have(AT | DOT),
            Self::Card => contents.have(DIGIT) && length >= card::MIN_DIGITS,
            Self::Token(_) => TokenFinder::may_find(contents, length),
            Self::Ipv4 => contents.have(DIGIT | DOT) && length >= "0.0.0.0".len(),
            Self::Ipv6 => contents.have(COLON) && length >= address::SHORTEST_IPV6,
            Self::Pattern(_) => true,
        }
    }

    /// The first match from `from` on; never an empty one.
    #[inline]
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        match self {
            Self::Mail => mail::find(text, from),
            Self::Card => card::find(text, from),
            Self::Token(tokens) => tokens.find(text, from),
            Self::Ipv4 => address::find_ipv4(text, from),
            Self::Ipv6 => address::find_ipv6(text, from),
            Self::Pattern(pattern) => {
                let mut from = from;
                loop {
                    let hit = pattern.find_at(text, from)?.range();
                    if !hit.is_empty() {
                        return Some(hit);
                    }
                    from = hit.end + 1;
                    if from > text.len() {
                        return None;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::pipeline::patterns::compile;

    pub(super) fn hidden(detect: &[Detector], patterns: &[&str], text: &str) -> String {
        let mask = Mask::new(MaskConfig {
            fields: Vec::new(),
            patterns: patterns.iter().map(|pattern| compile(pattern, false).unwrap()).collect(),
            detect: detect.to_vec(),
            keys: false,
            replacement: "***".to_owned(),
        });
        let mut out = b"before".to_vec();
        if !mask.hide(text.as_bytes(), &mut out, &mut Vec::new()) {
            out.extend_from_slice(text.as_bytes());
        }
        String::from_utf8(out.split_off("before".len())).unwrap()
    }

    #[test]
    fn every_match_of_every_pattern_is_hidden() {
        assert_eq!(hidden(&[], &["secret-[0-9]+", "x+"], "a secret-12 xx secret-3"), "a *** *** ***");
        assert_eq!(hidden(&[], &["a*"], "baab"), "b***b", "an empty match hides nothing");
        assert_eq!(
            hidden(&[], &["^b"], "bb"),
            "***b",
            "what stood behind a match does not move to the start"
        );
        assert_eq!(
            hidden(&[Detector::Mail, Detector::Ipv4], &["q"], "q@example.com 192.0.2.1 q"),
            "*** *** ***"
        );
        assert_eq!(hidden(&[Detector::Mail], &["z"], "nothing"), "nothing");
    }

    static FINDERS: LazyLock<[Finder; 5]> = LazyLock::new(|| {
        let tokens = Finder::Token(TokenFinder::new());
        [Finder::Mail, Finder::Card, tokens, Finder::Ipv4, Finder::Ipv6]
    });

    proptest::proptest! {
        #[test]
        fn where_nothing_may_be_found_nothing_is(
            parts in proptest::collection::vec(
                proptest::prop_oneof![
                    "[0-9.:@% =_A-]{0,12}",
                    "(?i)(pwd|token|bearer|authorization|api-key)",
                    "(eyJ|ghp_|xoxb-|AKIA|ASIA|AIza|sk-|-----BEGIN X PRIVATE KEY-----|basic)",
                    "[a-zA-Z0-9é]{0,34}",
                    "\\PC{0,3}",
                ],
                0..5,
            ),
        ) {
            let text = parts.concat().into_bytes();
            let contents = Contents::of(&text);
            for finder in &*FINDERS {
                if finder.find(&text, 0).is_some() {
                    proptest::prop_assert!(finder.may_find(contents, text.len()), "{finder:?}");
                }
            }
        }
    }

    #[test]
    fn a_token_is_hidden_as_a_whole() {
        let all = [Detector::Mail, Detector::Ipv4, Detector::Ipv6, Detector::Card, Detector::Token];
        assert_eq!(hidden(&all, &[], "Bearer abc.192.0.2.1.def12345 x"), "*** x");
    }
}
