//! The tags that an input gives: `tag` and `add_tag_prefix`.

use bytes::Bytes;

use crate::config::InputConfig;
use crate::wire::message::MAX_TAG_LENGTH;
use crate::wire::refusal::Refusal;

/// What an input does to tags before anything else sees them.
#[derive(Debug, Default)]
pub(crate) struct Tagging {
    tag: Option<Bytes>,
    prefix: Option<String>,
}

/// A chunk's tag and id as the journal keeps them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tagged {
    pub(crate) tag: Bytes,
    pub(crate) id: Option<Bytes>,
}

impl Tagging {
    pub(crate) fn new(config: &InputConfig) -> Self {
        Self { tag: config.tag.clone().map(Bytes::from), prefix: config.add_tag_prefix.clone() }
    }

    /// # Errors
    ///
    /// Where the tag gets longer than [`MAX_TAG_LENGTH`].
    pub(crate) fn apply(&self, sent: Bytes, id: Option<Bytes>) -> Result<Tagged, Refusal> {
        let (tag, id) = match &self.tag {
            // Ids may be a hash of the entries (Fluent Bit's are), and so the same under two tags. When both tags become
            // one, the id must go on telling the two chunks apart.
            Some(tag) => (tag.clone(), id.map(|id| [&sent[..], b"\0", &id].concat().into())),
            None => (sent, id),
        };
        let Some(prefix) = &self.prefix else { return Ok(Tagged { tag, id }) };
        let length = prefix.len() + 1 + tag.len();
        if length > MAX_TAG_LENGTH {
            return Err(Refusal::TagTooLong(length));
        }
        Ok(Tagged { tag: [prefix.as_bytes(), b".", &tag].concat().into(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(tag: Option<&'static str>, prefix: Option<&str>, sent: &[u8]) -> Result<Tagged, Refusal> {
        let tagging = Tagging { tag: tag.map(Bytes::from), prefix: prefix.map(str::to_owned) };
        tagging.apply(Bytes::copy_from_slice(sent), Some(Bytes::from_static(b"id")))
    }

    #[test]
    fn a_tag_replaces_and_a_prefix_stands_before_what_comes_of_it() {
        for (tag, prefix, expected, id) in [
            (None, None, "a.b", &b"id"[..]),
            (None, Some("edge"), "edge.a.b", b"id"),
            (Some("app"), None, "app", b"a.b\0id"),
            (Some("app"), Some("edge"), "edge.app", b"a.b\0id"),
        ] {
            let tagged = apply(tag, prefix, b"a.b").unwrap();
            assert_eq!((&tagged.tag[..], tagged.id.as_deref()), (expected.as_bytes(), Some(id)));
        }
    }

    #[test]
    fn a_prefix_may_fill_a_tag_up_to_the_limit() {
        let sent =
            |length: usize| apply(None, Some("edge"), &vec![b't'; length]).map(|tagged| tagged.tag.len());
        assert_eq!(sent(MAX_TAG_LENGTH - 5), Ok(MAX_TAG_LENGTH));
        assert_eq!(sent(MAX_TAG_LENGTH - 4), Err(Refusal::TagTooLong(MAX_TAG_LENGTH + 1)));
    }
}
