//! Framing, messages and entries: any bytes give the same messages or the same refusal, however they are cut.

use bytes::Bytes;
use hikyaku::wire::entry::Entries;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::limits::ContentLimits;
use hikyaku::wire::message::Message;

const MAX_MESSAGE_SIZE: usize = 1 << 16;

/// The first byte says how the rest is cut.
pub(crate) fn check(bytes: &[u8]) {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let whole = outcome([stream]);
    let cut = outcome(stream.chunks(usize::from(cut) + 1));
    assert_eq!(whole, cut, "the cut makes a difference");
}

/// What each message is, and what ends the stream.
fn outcome<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut framer = Framer::new(MAX_MESSAGE_SIZE);
    let mut outcome = Vec::new();
    for part in parts {
        framer.buffer().extend_from_slice(part);
        loop {
            match framer.next_message() {
                Ok(Some(message)) => outcome.push(judge(&message)),
                Ok(None) => break,
                Err(refusal) => {
                    outcome.push(refusal.label().to_owned());
                    return outcome;
                }
            }
        }
    }
    outcome
}

fn judge(bytes: &Bytes) -> String {
    let message = match Message::decode(bytes) {
        Ok(message) => message,
        Err(refusal) => return refusal.to_string(),
    };
    for entry in Entries::new(&message.entries) {
        if entry.is_err() {
            break;
        }
    }
    let limits = ContentLimits { max_inflated_size: MAX_MESSAGE_SIZE as u64, ..ContentLimits::NONE };
    match message.contents(&limits) {
        Ok(contents) => {
            assert!(contents.bad_entries <= contents.entries);
            format!("{message:?} {contents:?}")
        }
        Err(refusal) => refusal.to_string(),
    }
}
