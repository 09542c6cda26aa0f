//! What a client does, read from any bytes.

/// One thing that a client does, or that is done to its bytes.
#[derive(Debug)]
pub(super) enum Step {
    Data {
        content: Vec<u8>,
        zeros: usize,
    },
    /// Whatever is inside.
    Record {
        kind: u8,
        content: Vec<u8>,
    },
    /// A record of which one bit was changed on its way.
    Changed {
        content: Vec<u8>,
        at: usize,
    },
    /// A record that did not arrive.
    LeftOut,
    Junk(Vec<u8>),
    /// From now on bytes come in pieces of this length.
    Cut(usize),
    /// From now on the server reads so many bytes at a time.
    Part(usize),
    Deliver,
    /// The server writes.
    Write(Vec<u8>),
    /// The server sends nothing more.
    Close,
}

pub(super) struct Script<'a> {
    rest: &'a [u8],
    steps: usize,
}

impl<'a> Script<'a> {
    /// Steps of one script; more show nothing new.
    const MAX_STEPS: usize = 200;

    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, steps: 0 }
    }

    pub(super) fn suite(&mut self) -> usize {
        usize::from(self.byte().unwrap_or(0)) % 3
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<usize> {
        Some(usize::from(u16::from_be_bytes([self.byte()?, self.byte()?])))
    }

    fn bytes(&mut self, most: u8) -> Option<Vec<u8>> {
        let count = usize::from(self.byte()? % most).min(self.rest.len());
        let (bytes, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(bytes.to_vec())
    }

    /// Contents of a length up to a little over what a record may hold.
    fn content(&mut self) -> Option<Vec<u8>> {
        let length = self.number()? % 16_400;
        Some((0..length).map(|at| ((at + length) * 31 % 251) as u8).collect())
    }

    fn step(&mut self) -> Option<Step> {
        Some(match self.byte()? % 16 {
            0 => Step::Data { content: self.content()?, zeros: 0 },
            1 => Step::Data { content: self.content()?, zeros: self.number()? % 16_600 },
            2 => Step::Data { content: self.bytes(40)?, zeros: 0 },
            3 => Step::Data { content: Vec::new(), zeros: usize::from(self.byte()?) },
            4 => Step::Record { kind: 22, content: vec![24, 0, 0, 1, self.byte()? % 2] },
            5 => Step::Record { kind: 22, content: self.bytes(8)? },
            6 => Step::Record { kind: 21, content: vec![1, 90] },
            7 => Step::Record { kind: 21, content: self.bytes(4)? },
            8 => Step::Record { kind: self.byte()?.max(1), content: self.bytes(8)? },
            9 => Step::Changed { content: self.bytes(40)?, at: self.number()? },
            10 => Step::LeftOut,
            11 => Step::Junk(self.bytes(40)?),
            12 => Step::Cut(self.number()?.max(1)),
            13 => Step::Part(self.number()?.max(1)),
            14 => Step::Write(self.content()?),
            15 if self.byte()? % 8 == 0 => Step::Close,
            _ => Step::Deliver,
        })
    }
}

impl Iterator for Script<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.steps += 1;
        if self.steps > Self::MAX_STEPS {
            return None;
        }
        self.step()
    }
}
