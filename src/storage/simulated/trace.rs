//! What was called, as a checksum for machines and as lines for people.

use std::path::Path;

use super::Begun;
use super::content::Loss;

/// All calls so far.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hasher: crc32fast::Hasher,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn keep_lines(&mut self) {
        self.lines.get_or_insert_default();
    }

    pub(super) fn take_lines(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn checksum(&self) -> u32 {
        self.hasher.clone().finalize()
    }

    pub(super) fn note(&mut self, call: u64, name: &str, path: &Path, number: u64, begun: Begun) {
        self.hasher.update(name.as_bytes());
        self.hasher.update(path.as_os_str().as_encoded_bytes());
        self.hasher.update(&number.to_le_bytes());
        self.hasher.update(&[begun.code()]);
        if let Some(lines) = &mut self.lines {
            let outcome = if begun.is_success() { String::new() } else { format!(": {begun:?}") };
            lines.push(format!("call {call}: {name} {} {number}{outcome}", path.display()));
        }
    }

    pub(super) fn note_bytes(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(super) fn note_restart(&mut self, loss: Option<Loss>) {
        self.hasher.update(&[loss.map_or(0, |loss| loss as u8 + 1)]);
        if let Some(lines) = &mut self.lines {
            lines.push(match loss {
                None => "the process ended".to_owned(),
                Some(loss) => format!("the power failed, and took of what was not synced: {loss:?}"),
            });
        }
    }
}
