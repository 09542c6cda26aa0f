//! JSON in the making.

/// Appends JSON to a buffer. What is behind the end of the text so far is filled with zeros already, so that short
/// pieces are written as blocks of one size, and the next one begins where their text ends.
#[derive(Debug)]
pub(crate) struct JsonText<'o> {
    out: &'o mut Vec<u8>,
    length: usize,
}

/// What a buffer grows by beyond what is asked for, in bytes.
const ROOM: usize = 128;

impl<'o> JsonText<'o> {
    /// Behind what is in `out`, of about so many bytes. [`finish`](Self::finish) has to come in the end.
    #[inline]
    pub(crate) fn begin(out: &'o mut Vec<u8>, about: usize) -> Self {
        let length = out.len();
        out.resize(length + about + ROOM, 0);
        Self { out, length }
    }

    #[inline]
    pub(crate) fn finish(self) {
        self.out.truncate(self.length);
    }

    /// The next bytes to be written, if there is room for as many; [`wrote`](Self::wrote) says how many of them were.
    #[inline]
    pub(super) fn place<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        self.out.get_mut(self.length..)?.first_chunk_mut()
    }

    /// All that there is room for without growing, to be written from its start on.
    #[inline]
    pub(super) fn rest(&mut self) -> Option<&mut [u8]> {
        self.out.get_mut(self.length..)
    }

    #[inline]
    pub(super) fn wrote(&mut self, count: usize) {
        self.length += count;
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.constant(&[byte]);
    }

    #[inline]
    pub(crate) fn constant<const N: usize>(&mut self, bytes: &[u8; N]) {
        match self.place() {
            Some(place) => *place = *bytes,
            None => return self.bytes(bytes),
        }
        self.wrote(N);
    }

    /// Appends so many bytes of a block.
    ///
    /// # Panics
    ///
    /// If the block has fewer.
    #[inline]
    pub(crate) fn block<const N: usize>(&mut self, block: &[u8; N], used: usize) {
        match self.place() {
            Some(place) => *place = *block,
            None => return self.bytes(&block[..used]),
        }
        self.wrote(used);
    }

    /// Appends an object whose members `write` appends, each with a comma before it.
    #[inline]
    pub(crate) fn object(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.length;
        write(self);
        match self.out.get_mut(start..self.length) {
            Some([comma, ..]) => *comma = b'{',
            _ => self.byte(b'{'),
        }
        self.byte(b'}');
    }

    #[inline(never)]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if self.out.len() - self.length < bytes.len() {
            self.grow(bytes.len());
        }
        self.out[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.wrote(bytes.len());
    }

    /// Lets something else append to the text.
    pub(super) fn aside(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.truncate(self.length);
        write(self.out);
        self.length = self.out.len();
        self.grow(0);
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) {
        self.out.resize(self.length + count + ROOM, 0);
        let capacity = self.out.capacity();
        // What was allocated is used; but not all of a large buffer is filled at once.
        self.out.resize(capacity.min(self.length + count + 16 * ROOM), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_was_written_however_much_room_there_was() {
        for about in [0, 1, 5000] {
            let mut out = b"before ".to_vec();
            let mut text = JsonText::begin(&mut out, about);
            let mut expected = b"before ".to_vec();
            for number in 0..1000usize {
                let bytes = vec![b'a' + (number % 26) as u8; number % 300];
                text.bytes(&bytes);
                text.byte(b'-');
                text.constant(b"xyz");
                text.aside(|out| out.extend_from_slice(b"aside"));
                match text.place() {
                    Some(place) => {
                        *place = *b"0123456789";
                        text.wrote(number % 11);
                    }
                    None => text.bytes(&b"0123456789"[..number % 11]),
                }
                expected.extend_from_slice(&bytes);
                expected.extend_from_slice(b"-xyzaside");
                expected.extend_from_slice(&b"0123456789"[..number % 11]);
            }
            text.finish();
            assert!(out == expected);
        }
    }
}
