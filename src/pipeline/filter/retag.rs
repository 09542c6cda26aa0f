//! `type = "retag"`: a new tag, which later filters and the outputs go by.

use super::{Draft, Scratch, Verdict};
use crate::pipeline::json::{write_plain, write_value};
use crate::pipeline::template::ValueTemplate;
use crate::wire::msgpack::{Token, read};

/// Bytes of the longest tag that a filter gives.
pub(in crate::pipeline) const MAX_TAG: usize = 1024;

#[derive(Debug)]
pub(super) struct Retag {
    pub(super) tag: ValueTemplate,
}

impl Retag {
    /// A tag that would be empty, or longer than [`MAX_TAG`], is not given.
    pub(super) fn apply(&self, draft: &Draft<'_>, scratch: &mut Scratch) -> Verdict {
        let value = scratch.renderer.render(&self.tag, &draft.event());
        scratch.tag.clear();
        match read(value, &mut 0) {
            Ok(Token::Array(_) | Token::Map(_)) => write_value(&mut scratch.tag, value),
            Ok(token) => write_plain(&mut scratch.tag, token),
            Err(_) => {}
        }
        let tag = &scratch.tag;
        if tag.is_empty() || tag.len() > MAX_TAG || tag == draft.context.source.tag {
            return Verdict::Passes;
        }
        Verdict::Retagged
    }
}
