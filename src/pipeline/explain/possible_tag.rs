//! Tags that an event may have, as long as nobody knows its record.

use super::Answer;
use crate::pipeline::event::Event;
use crate::pipeline::json::write_plain;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::{ValueRenderer, ValueTemplate};
use crate::wire::msgpack::read;

/// A tag, or what is known about one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PossibleTag {
    Known(String),
    /// As the filter writes it: the record makes it.
    Template(String),
}

impl PossibleTag {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Known(text) | Self::Template(text) => text,
        }
    }

    /// The tag that a template gives an event.
    pub(super) fn rendered(template: &ValueTemplate, event: &Event<'_>) -> String {
        let mut renderer = ValueRenderer::default();
        let mut text = Vec::new();
        if let Ok(token) = read(renderer.render(template, event), &mut 0) {
            write_plain(&mut text, token);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Whether patterns take the tag, and why not, or what it hangs on.
pub(super) fn matches(patterns: &TagPatterns, tags: &[PossibleTag]) -> (Answer, String) {
    let is_taken = |tag: &PossibleTag| match tag {
        PossibleTag::Known(tag) => Some(patterns.matches(tag)),
        // `**` takes whatever it will be.
        PossibleTag::Template(_) => (patterns.to_string() == "**").then_some(true),
    };
    let taken: Vec<_> = tags.iter().map(is_taken).collect();
    if taken.iter().all(|taken| *taken == Some(true)) {
        (Answer::Yes, String::new())
    } else if taken.iter().all(|taken| *taken == Some(false)) {
        let tags: Vec<_> = tags.iter().map(PossibleTag::text).collect();
        (Answer::No, format!("its match `{patterns}` does not take the tag `{}`", tags.join("` or `")))
    } else {
        (Answer::If, format!("its match `{patterns}` takes the new tag"))
    }
}

/// Puts the tags that a `retag` gives in place of the old ones, which stay possible unless the filter `always` works.
/// `render` gives the tag for an old one, where it takes no record. Returns the new tags as they are shown.
pub(super) fn retagged(
    tags: &mut Vec<PossibleTag>,
    template: &ValueTemplate,
    always: bool,
    render: impl Fn(&ValueTemplate, &str) -> String,
) -> Vec<String> {
    let new = |tag: &PossibleTag| match tag {
        PossibleTag::Known(tag) if template.is_of_the_tag() => {
            // A tag that would be empty is not given.
            let rendered = Some(render(template, tag)).filter(|rendered| !rendered.is_empty());
            PossibleTag::Known(rendered.unwrap_or_else(|| tag.clone()))
        }
        _ => PossibleTag::Template(template.to_string()),
    };
    let mut after: Vec<_> = tags.iter().map(new).collect();
    after.dedup();
    let shown = after.iter().map(|tag| tag.text().to_owned()).collect();
    if !always {
        after.splice(0..0, tags.iter().cloned());
        after.dedup();
    }
    *tags = after;
    shown
}
