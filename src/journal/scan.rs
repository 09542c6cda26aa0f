//! Scanning a segment frame by frame: what is there, where it ends, and what of it is damaged.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::dedup::owner_of_id;
use super::format::chunk_payload::ChunkPayload;
use super::format::footer::{ChunkKey, Footer, chunk_key};
use super::format::frame::FrameKind;
use super::format::segment_header::SEGMENT_HEADER_LENGTH;
use super::frame_reader::FrameReader;

/// What a segment without a readable footer holds.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the trustworthy frames end.
    pub(super) end: u64,
    /// Up to where the frames themselves say that they were synced.
    pub(super) synced: u64,
    /// Whether they end with a footer.
    pub(super) sealed: bool,
    /// The footer that the chunks give.
    pub(super) footer: Footer,
    /// The offsets of frames that refer to a file, and those frames.
    pub(super) large: Vec<(u64, ChunkPayload)>,
    /// Ranges below `end` that were synced once and hold no valid frame.
    pub(super) damaged: Vec<Range<u64>>,
    /// Bytes behind `end` that were half written.
    pub(super) torn: u64,
}

/// One frame, or a gap between two.
struct Stretch {
    range: Range<u64>,
    /// `None`: no valid frame.
    frame: Option<Scanned>,
}

struct Scanned {
    synced_mark: u64,
    content: Content,
}

/// What is kept of a frame while the others are looked at: not its entries, which would be all of the segment.
enum Content {
    Chunk(Noted),
    Large(ChunkPayload),
    /// Of no chunk that decodes.
    Other,
    Footer,
}

/// What the footer says of a chunk.
struct Noted {
    received_at: i64,
    entries: u32,
    sender: Arc<str>,
    acknowledged: Option<ChunkKey>,
    /// Whose the id is, and how old, where it is not the sender's.
    owner_of_id: Option<(Arc<str>, i64)>,
    id: Option<ChunkKey>,
}

/// Which segment is scanned, and so what a gap in it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The newest segment: what lies above the synced marks of its frames may be half written, but for what is known from
    /// elsewhere to have been synced up to this offset.
    Last { synced: u64 },
    /// One that others follow, which are only begun when it is synced as a whole.
    Followed,
}

impl Standing {
    /// Up to where the segment was synced for certain, whatever it says itself.
    fn synced(self) -> u64 {
        match self {
            Self::Last { synced } => synced,
            Self::Followed => 0,
        }
    }
}

/// Scans a segment up to `file_end`. Memory is taken for what its footer holds, and not for each frame.
pub(super) fn scan(reader: &mut FrameReader, file_end: u64, standing: Standing) -> io::Result<Scan> {
    let mut judge = Judge::new(standing);
    let mut at = SEGMENT_HEADER_LENGTH;
    let mut torn_end = at;
    let mut sealed = false;
    let mut last_sender: Arc<str> = Arc::from("");
    while !sealed {
        match reader.frame_at(at, file_end)? {
            Some(frame) => {
                sealed = frame.header.kind == FrameKind::Footer;
                let content = match frame.header.kind {
                    FrameKind::Chunk => ChunkPayload::decode_head(frame.payload)
                        .map_or(Content::Other, |chunk| Content::Chunk(note(&chunk, &mut last_sender))),
                    FrameKind::Large => {
                        ChunkPayload::decode(frame.payload).map_or(Content::Other, Content::Large)
                    }
                    FrameKind::Footer => Content::Footer,
                };
                let scanned = Scanned { synced_mark: frame.header.synced_mark, content };
                judge.hear(Stretch { range: at..frame.next, frame: Some(scanned) });
                at = frame.next;
                torn_end = at;
            }
            None => {
                let found = reader.find_frame(at, file_end)?;
                let Some(next) = found.frame else {
                    torn_end = found.last_byte_before.max(reader.unreadable_end());
                    let known = match standing {
                        Standing::Last { synced } => synced,
                        // All of it was synced. Zeros were never written.
                        Standing::Followed => torn_end,
                    };
                    if at < known {
                        judge.hear(Stretch { range: at..known, frame: None });
                        torn_end = torn_end.max(known);
                    }
                    break;
                };
                judge.hear(Stretch { range: at..next, frame: None });
                at = next;
            }
        }
    }
    Ok(judge.sum_up(torn_end, sealed))
}

/// Tells what of the stretches is kept: a gap below a later synced mark is damage; the first one above all of them is where
/// the torn tail begins.
struct Judge {
    standing: Standing,
    scan: Scan,
    /// From the first gap on that no mark is above yet.
    undecided: VecDeque<Stretch>,
}

impl Judge {
    fn new(standing: Standing) -> Self {
        let scan = Scan {
            end: SEGMENT_HEADER_LENGTH,
            synced: standing.synced().max(SEGMENT_HEADER_LENGTH),
            sealed: false,
            footer: Footer::default(),
            large: Vec::new(),
            damaged: Vec::new(),
            torn: 0,
        };
        Self { standing, scan, undecided: VecDeque::new() }
    }

    fn hear(&mut self, stretch: Stretch) {
        if let Some(frame) = &stretch.frame {
            self.scan.synced = self.scan.synced.max(frame.synced_mark);
        }
        self.undecided.push_back(stretch);
        while let Some(stretch) = self.undecided.pop_front() {
            let is_open = stretch.frame.is_none()
                && self.standing != Standing::Followed
                && stretch.range.start >= self.scan.synced;
            if is_open {
                self.undecided.push_front(stretch);
                break;
            }
            self.take(stretch);
        }
    }

    fn take(&mut self, Stretch { range, frame }: Stretch) {
        let scan = &mut self.scan;
        match frame.map(|frame| frame.content) {
            // The end of the chunks is the beginning of the footer.
            Some(Content::Footer) => return,
            Some(Content::Chunk(noted)) => add(&mut scan.footer, noted),
            Some(Content::Large(chunk)) => {
                add(&mut scan.footer, note(&chunk, &mut Arc::from("")));
                scan.large.push((range.start, chunk));
            }
            Some(Content::Other) => {}
            None => scan.damaged.push(range.clone()),
        }
        scan.end = range.end;
    }

    /// With the end of what is no zeros, and whether there is a footer.
    fn sum_up(self, torn_end: u64, sealed: bool) -> Scan {
        let mut scan = self.scan;
        scan.sealed = sealed && self.undecided.is_empty();
        if !scan.sealed {
            scan.torn = torn_end.saturating_sub(scan.end);
        }
        if self.standing == Standing::Followed {
            scan.synced = torn_end;
        }
        scan
    }
}

/// What the footer of its segment says of a chunk. Neighbours are often of one sender.
fn note(chunk: &ChunkPayload, last_sender: &mut Arc<str>) -> Noted {
    if **last_sender != *chunk.sender() {
        *last_sender = Arc::from(chunk.sender());
    }
    let received_at = chunk.received_at().unix_nanoseconds();
    Noted {
        received_at,
        entries: chunk.entry_count(),
        sender: Arc::clone(last_sender),
        acknowledged: chunk.acknowledged(),
        owner_of_id: owner_of_id(chunk.sender(), chunk.id(), received_at, chunk.handed_over().as_ref()),
        id: chunk.id().map(|id| chunk_key(chunk.tag(), id)),
    }
}

fn add(footer: &mut Footer, noted: Noted) {
    let Noted { received_at, entries, sender, acknowledged, owner_of_id, id } = noted;
    footer.counts.add(entries, received_at);
    if let Some(key) = acknowledged {
        footer.add_acknowledged(&sender, key);
    }
    if let Some(key) = id {
        let (sender, received_at) = owner_of_id.unwrap_or((sender, received_at));
        footer.add_id(&sender, received_at, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(start: u64, synced_mark: u64) -> Stretch {
        Stretch { range: start..start + 8, frame: Some(Scanned { synced_mark, content: Content::Other }) }
    }

    fn gap(start: u64) -> Stretch {
        Stretch { range: start..start + 8, frame: None }
    }

    #[test]
    fn nothing_is_held_of_frames_but_from_a_gap_on_that_no_mark_is_above() {
        let mut judge = Judge::new(Standing::Last { synced: 0 });
        (8..1000).for_each(|number| judge.hear(frame(number * 8, 64)));
        assert_eq!(judge.undecided.len(), 0);
        judge.hear(gap(8000));
        (1001..1010).for_each(|number| judge.hear(frame(number * 8, 8000)));
        assert_eq!((judge.undecided.len(), judge.scan.end), (10, 8000));
        // That it was synced is known now: it is damage, and what is behind it counts.
        judge.hear(frame(8080, 8008));
        assert_eq!((judge.undecided.len(), judge.scan.end), (0, 8088));
        assert_eq!(judge.scan.damaged.first(), Some(&(8000..8008)));
    }

    #[test]
    fn a_gap_above_every_mark_ends_what_is_kept() {
        for (standing, end, torn, damaged) in [
            (Standing::Last { synced: 0 }, 72, 16, 0),
            (Standing::Last { synced: 72 }, 72, 16, 0),
            (Standing::Last { synced: 73 }, 88, 0, 1),
            (Standing::Followed, 88, 0, 1),
        ] {
            let mut judge = Judge::new(standing);
            [frame(64, 64), gap(72), frame(80, 72)].into_iter().for_each(|stretch| judge.hear(stretch));
            let scan = judge.sum_up(88, false);
            assert_eq!((scan.end, scan.torn, scan.damaged.len()), (end, torn, damaged), "{standing:?}");
        }
    }
}
