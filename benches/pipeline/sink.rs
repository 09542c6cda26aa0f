//! Takes messages without keeping their entries, so that the other side costs little of the machine that is measured.

use hikyaku::wire::framing::Framer;
use hikyaku::wire::message::Message;
use hikyaku::wire::msgpack::{Token, read};

/// Cuts a stream of PackedForward messages into messages without entries. The memory that it is read into serves for all
/// of them.
pub(crate) struct Sink {
    framer: Framer,
    /// The beginning of a message, up to the length of its entries.
    head: Vec<u8>,
    /// Bytes of entries that are still to come.
    entries: usize,
    /// Whether what comes is behind those of the message under way.
    is_behind_entries: bool,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Self { framer: Framer::new(1 << 30), head: Vec::new(), entries: 0, is_behind_entries: false }
    }

    /// Passes over these bytes, and hands out each message that ends in them.
    pub(crate) fn take(&mut self, mut bytes: &[u8], mut each: impl FnMut(Message)) {
        while !bytes.is_empty() {
            if self.entries > 0 {
                let passed = self.entries.min(bytes.len());
                self.entries -= passed;
                bytes = &bytes[passed..];
            } else if self.is_behind_entries {
                self.framer.buffer().extend_from_slice(bytes);
                let Some(message) = self.framer.next_message().unwrap() else { return };
                each(Message::decode(&message).unwrap());
                self.is_behind_entries = false;
                bytes = &bytes[bytes.len() - self.framer.buffered()..];
                self.framer.buffer().clear();
            } else {
                self.head.push(bytes[0]);
                bytes = &bytes[1..];
                self.look_at_head();
            }
        }
    }

    /// Gives the framer a message without entries, once it is known how many bytes of them there are.
    fn look_at_head(&mut self) {
        let mut at = 0;
        let (Ok(Token::Array(3)), Ok(Token::Str(_))) = (read(&self.head, &mut at), read(&self.head, &mut at))
        else {
            assert!(self.head.len() < 1000, "no PackedForward message");
            return;
        };
        self.entries = match self.head[at..] {
            [0xc4, length] => length.into(),
            [0xc5, high, low] => u16::from_be_bytes([high, low]).into(),
            [0xc6, l0, l1, l2, l3] => u32::from_be_bytes([l0, l1, l2, l3]) as usize,
            _ => return,
        };
        self.framer.buffer().extend_from_slice(&self.head[..at]);
        self.framer.buffer().extend_from_slice(&[0xc4, 0]);
        self.head.clear();
        self.is_behind_entries = true;
    }
}
