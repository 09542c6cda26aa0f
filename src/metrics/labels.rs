//! Label values that come from peers: made safe, and bounded in number.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What a value is counted as once there are too many different ones.
const OTHER: &str = "other";

/// Longest label value in bytes; longer ones are cut.
const MAX_LENGTH: usize = 200;

/// The values that a label has had, up to a limit.
#[derive(Debug, Clone)]
pub struct LabelValues {
    limit: usize,
    seen: Arc<Mutex<HashSet<String>>>,
}

impl LabelValues {
    /// At most `limit` different values.
    pub fn new(limit: usize) -> Self {
        Self { limit, seen: Arc::default() }
    }

    /// The value to use for what a peer sent: made safe, or `other` past the limit.
    pub fn admit(&self, value: &[u8]) -> String {
        let value = safe(&String::from_utf8_lossy(value));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&value) {
            return value;
        }
        if seen.len() >= self.limit {
            return OTHER.to_owned();
        }
        seen.insert(value.clone());
        value
    }
}

/// Replaces what would move the columns of `awk` or hide a line from `grep -v '#'`.
pub(super) fn safe(value: &str) -> String {
    value
        .chars()
        .map(|character| match character {
            '#' | '"' | '\\' => '_',
            c if c.is_whitespace() || c.is_control() => '_',
            c => c,
        })
        .scan(0, |length, character| {
            *length += character.len_utf8();
            (*length <= MAX_LENGTH).then_some(character)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_values_have_no_spaces_and_an_end() {
        assert_eq!(safe("a b#c\"d\\e\tf\u{3000}g"), "a_b_c_d_e_f_g");
        assert_eq!(safe(&"飛".repeat(100)).len(), 198);
    }

    #[test]
    fn a_value_that_was_admitted_stays_admitted() {
        let values = LabelValues::new(1);
        assert_eq!(values.admit(b"a"), "a");
        assert_eq!(values.admit(b"b"), "other");
        assert_eq!(values.admit(b"a"), "a");
    }
}
