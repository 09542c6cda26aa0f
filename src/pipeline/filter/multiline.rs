//! `type = "multiline"`: joins the lines of one message, such as a stack trace.
//!
//! Lines join within one chunk, in which all events have one sender and arrived under one tag, and only under the same
//! tag and with the same `group_by` fields. They never join across chunks: what was in memory between two of them
//! would be lost in a crash, or written twice.

use std::collections::VecDeque;

use super::{Context, Draft};
use crate::config::MultilineConfig;
use crate::event_time::EventTime;
use crate::pipeline::event::Source;
use crate::pipeline::nested::as_text;
use crate::pipeline::ownership::Claim;
use crate::pipeline::record::RecordBuffer;
use crate::wire::msgpack::write_str;

/// How many messages may wait for more lines at one time; when there are more the oldest is complete.
pub(super) const MAX_OPEN_MESSAGES: usize = 64;

#[derive(Debug)]
pub(in crate::pipeline) struct Multiline {
    config: MultilineConfig,
}

/// The messages of one multiline filter that are not handed on yet, in the order of their first lines.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Waiting {
    messages: VecDeque<Message>,
    /// Memory of messages that were handed on.
    spare: Vec<Message>,
    /// The group of the line at hand.
    group: Vec<u8>,
    value: Vec<u8>,
    buffer: RecordBuffer,
}

/// A message: its first event, and the text of all its lines.
#[derive(Debug, Default)]
struct Message {
    /// What lines must have in common to join.
    group: Vec<u8>,
    tag: Vec<u8>,
    record: Vec<u8>,
    metadata: Option<Vec<u8>>,
    time: Option<EventTime>,
    index: u32,
    is_invalid: bool,
    claim: Claim,
    text: Vec<u8>,
    lines: usize,
    is_complete: bool,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    /// It is part of a message before it.
    Continues,
    /// It is the first line of a message.
    Begins,
}

impl Multiline {
    pub(super) fn new(config: MultilineConfig) -> Self {
        Self { config }
    }

    /// Takes an event in. One whose field is no text, or that does not join at all, is a message of its own.
    pub(super) fn take(&self, draft: &Draft<'_>, joins: bool, waiting: &mut Waiting) -> Joined {
        let fields = draft.record.fields();
        let line = fields.get(&self.config.field).and_then(as_text).filter(|_| joins);
        let Waiting { messages, spare, group, .. } = waiting;
        group.clear();
        write_str(group, draft.context.source.tag);
        // What is not its sender's to write goes elsewhere than what is.
        group.push(u8::from(draft.is_disowned()));
        for path in &self.config.group_by {
            group.extend_from_slice(fields.get(path).unwrap_or(&[0xc1]));
        }
        let open = messages
            .iter_mut()
            .rev()
            .find(|message| joins && !message.is_complete && message.group == *group);
        if let Some(open) = open {
            if let Some(line) = line.filter(|line| self.continues(line))
                && open.lines < self.config.max_lines
                && open.text.len() + self.config.separator.len() + line.len() <= self.config.max_size
            {
                open.text.extend_from_slice(self.config.separator.as_bytes());
                open.text.extend_from_slice(line);
                open.lines += 1;
                return Joined::Continues;
            }
            open.is_complete = true;
        }
        let mut message = spare.pop().unwrap_or_default();
        message.begin(draft, group, line);
        messages.push_back(message);
        let open = messages.iter().filter(|message| !message.is_complete).count();
        if open > MAX_OPEN_MESSAGES
            && let Some(oldest) = messages.iter_mut().find(|message| !message.is_complete)
        {
            oldest.is_complete = true;
        }
        Joined::Begins
    }

    fn continues(&self, line: &[u8]) -> bool {
        self.config.start.as_ref().is_none_or(|start| !start.is_match(line))
            && self.config.continues.as_ref().is_none_or(|continues| continues.is_match(line))
    }
}

impl Message {
    fn begin(&mut self, draft: &Draft<'_>, group: &[u8], line: Option<&[u8]>) {
        self.group.clear();
        self.group.extend_from_slice(group);
        self.tag.clear();
        self.tag.extend_from_slice(draft.context.source.tag);
        self.record.clear();
        draft.record.fields().write(&mut self.record);
        self.metadata = draft.context.metadata.map(<[u8]>::to_vec);
        self.time = Some(draft.context.time);
        self.index = draft.context.index;
        self.is_invalid = draft.is_invalid;
        self.claim = draft.claim;
        self.text.clear();
        self.text.extend_from_slice(line.unwrap_or_default());
        self.lines = 1;
        self.is_complete = line.is_none();
    }
}

impl Waiting {
    /// No more lines come: all messages are complete.
    pub(in crate::pipeline) fn complete(&mut self) {
        for message in &mut self.messages {
            message.is_complete = true;
        }
    }

    /// Forgets what waits: the walk over its chunk ended early.
    pub(in crate::pipeline) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Hands over the next message whose turn it is: the first one, if it is complete. `source` and `server` are those
    /// of the chunk.
    pub(in crate::pipeline) fn next<R>(
        &mut self,
        filter: &Multiline,
        source: &Source<'_>,
        server: &str,
        hand_over: impl FnOnce(Draft<'_>) -> R,
    ) -> Option<R> {
        if !self.messages.front()?.is_complete {
            return None;
        }
        let message = self.messages.pop_front()?;
        let source = Source { tag: &message.tag, ..*source };
        let context = Context {
            source: &source,
            server,
            time: message.time.unwrap_or(source.received_at),
            metadata: message.metadata.as_deref(),
            index: message.index,
        };
        let mut record = self.buffer.open(&message.record);
        if message.lines > 1 {
            self.value.clear();
            write_str(&mut self.value, &message.text);
            record.set(&filter.config.field, &self.value);
        }
        let result =
            hand_over(Draft { context, record, is_invalid: message.is_invalid, claim: message.claim });
        self.spare.push(message);
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::field_path::FieldPath;
    use crate::wire::msgpack::{write_map, write_u64};

    fn take(multiline: &Multiline, group: usize, line: &[u8], waiting: &mut Waiting) -> Joined {
        let mut record = Vec::new();
        write_map(&mut record, 2);
        write_str(&mut record, b"group");
        write_u64(&mut record, group as u64);
        write_str(&mut record, b"message");
        write_str(&mut record, line);
        let time = EventTime::new(1_771_322_400, 0).unwrap();
        let source = Source::of_engine(b"app", time);
        let mut buffer = RecordBuffer::default();
        let draft = Draft {
            context: Context { source: &source, server: "logserver-1", time, metadata: None, index: 0 },
            record: buffer.open(&record),
            is_invalid: false,
            claim: Claim::Fits,
        };
        multiline.take(&draft, true, waiting)
    }

    #[test]
    fn when_one_message_too_many_waits_for_lines_the_oldest_is_complete() {
        let multiline = Multiline::new(MultilineConfig {
            field: FieldPath::parse("message").unwrap(),
            start: Some(regex::bytes::Regex::new("^begin").unwrap()),
            continues: None,
            separator: "\n".to_owned(),
            group_by: vec![FieldPath::parse("group").unwrap()],
            max_lines: 100,
            max_size: 1_000,
        });
        let mut waiting = Waiting::default();
        for group in 0..MAX_OPEN_MESSAGES {
            assert_eq!(take(&multiline, group, b"begin", &mut waiting), Joined::Begins);
        }
        assert_eq!(take(&multiline, 0, b"more", &mut waiting), Joined::Continues);
        assert_eq!(take(&multiline, MAX_OPEN_MESSAGES, b"begin", &mut waiting), Joined::Begins);
        assert_eq!(take(&multiline, 1, b"more", &mut waiting), Joined::Continues);
        assert_eq!(take(&multiline, 0, b"more", &mut waiting), Joined::Begins);
    }
}
