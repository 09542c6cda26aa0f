//! Scanning a segment frame by frame: what is there, where it ends, and what of it is damaged.

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
    Other,
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
    /// The newest segment: what lies above the synced marks of its frames may be half written.
    Last,
    /// One that others follow, which are only begun when it is synced as a whole.
    Followed,
}

/// Scans a segment up to `file_end`.
pub(super) fn scan(reader: &mut FrameReader, file_end: u64, standing: Standing) -> io::Result<Scan> {
    let mut stretches = Vec::new();
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
                    FrameKind::Footer => Content::Other,
                };
                let scanned = Scanned { synced_mark: frame.header.synced_mark, content };
                stretches.push(Stretch { range: at..frame.next, frame: Some(scanned) });
                at = frame.next;
                torn_end = at;
            }
            None => {
                let found = reader.find_frame(at, file_end)?;
                torn_end = found.last_byte_before;
                let Some(next) = found.frame else { break };
                stretches.push(Stretch { range: at..next, frame: None });
                at = next;
            }
        }
    }
    Ok(judge(stretches, torn_end, sealed, standing))
}

/// A gap below a later synced mark is damage; the first one above all of them is where the torn tail begins.
fn judge(stretches: Vec<Stretch>, torn_end: u64, sealed: bool, standing: Standing) -> Scan {
    let synced = stretches
        .iter()
        .filter_map(|stretch| stretch.frame.as_ref())
        .map(|frame| frame.synced_mark)
        .max()
        .unwrap_or(SEGMENT_HEADER_LENGTH);
    let synced = if standing == Standing::Followed { torn_end } else { synced };
    let mut scan = Scan {
        end: SEGMENT_HEADER_LENGTH,
        synced,
        sealed,
        footer: Footer::default(),
        large: Vec::new(),
        damaged: Vec::new(),
        torn: 0,
    };
    for stretch in stretches {
        match stretch.frame {
            Some(Scanned { content: Content::Chunk(noted), .. }) => {
                add(&mut scan.footer, noted);
                scan.end = stretch.range.end;
            }
            Some(Scanned { content: Content::Large(chunk), .. }) => {
                add(&mut scan.footer, note(&chunk, &mut Arc::from("")));
                scan.end = stretch.range.end;
                scan.large.push((stretch.range.start, chunk));
            }
            // The end of the chunks is the beginning of the footer.
            Some(Scanned { content: Content::Other, .. }) if sealed && stretch.range.end == torn_end => {}
            Some(Scanned { content: Content::Other, .. }) => scan.end = stretch.range.end,
            None if stretch.range.start < synced => scan.damaged.push(stretch.range),
            None => {
                scan.sealed = false;
                break;
            }
        }
    }
    if !scan.sealed {
        scan.torn = torn_end.saturating_sub(scan.end);
    }
    scan
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
