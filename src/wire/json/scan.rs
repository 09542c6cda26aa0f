//! Finding the end of a JSON array whose bytes arrive bit by bit.

use memchr::memchr2;

/// Follows one array as its bytes arrive, and looks at no byte twice. Brackets are counted outside of strings; whether
/// what stands between them is JSON is found out later, by [`convert`](super::convert).
#[derive(Debug, Default)]
pub(crate) struct JsonScanner {
    /// Bytes that were looked at, from the start of the array.
    at: usize,
    /// Arrays and objects that are open.
    depth: usize,
    in_string: bool,
}

impl JsonScanner {
    /// The length of the array that `bytes` begin with, once all of it is there. `bytes` are all that has arrived of
    /// it, what earlier calls were given included. After `Some` the scanner is ready for the next array.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.at) {
            if self.in_string {
                self.string(bytes)?;
                continue;
            }
            self.at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(std::mem::take(self).at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// How many bytes of the array were looked at: 0 between arrays.
    pub(crate) fn known_length(&self) -> usize {
        self.at
    }

    /// Goes on behind the string, or where its bytes end: then `None`.
    fn string(&mut self, bytes: &[u8]) -> Option<()> {
        let Some(length) = memchr2(b'"', b'\\', &bytes[self.at..]) else {
            self.at = bytes.len();
            return None;
        };
        let at = self.at + length;
        if bytes[at] == b'"' {
            self.at = at + 1;
            self.in_string = false;
        } else if at + 1 < bytes.len() {
            self.at = at + 2;
        } else {
            // What is escaped has not come yet.
            self.at = at;
            return None;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_found_wherever_its_bytes_are_cut() {
        let array = br#"["t]\"[\\", [[1, {"a}": "\\\""}]], {}]"#;
        let stream = [&array[..], b"[2]"].concat();
        for cut in 0..=stream.len() {
            let mut scanner = JsonScanner::default();
            let found = scanner.advance(&stream[..cut]).or_else(|| scanner.advance(&stream));
            assert_eq!(found, Some(array.len()), "cut at {cut}");
            assert_eq!(scanner.known_length(), 0);
        }
        let mut scanner = JsonScanner::default();
        for length in 0..array.len() {
            assert_eq!(scanner.advance(&array[..length]), None);
            assert!(scanner.known_length() + 1 >= length, "at most an escape is looked at again");
        }
    }
}
