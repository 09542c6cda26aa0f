//! Large chunks: their entries are a file of their own, and the segment holds a frame that refers to it.
//!
//! ```text
//! input ── writes, checks ──▶ DATA_DIR/spool/N.spool ── synced, handed over ──▶ writer
//!                                                                                 │ renames, syncs the folder
//!                    DATA_DIR/journal/SEGMENT-OFFSET.large ◀──────────────────────┘
//!                    a frame of kind 3 at OFFSET of SEGMENT, in the next commit
//! ```
//!
//! * A spool belongs to whoever writes it, and goes with them: dropped, it is removed. What a crash leaves is removed
//!   at start.
//! * Where the disk has no space for a spool, its writer tries again, and [`SpoolFolder`] counts who waits. A sync that
//!   fails leaves it open what of the spool is on the disk: it is written again as far as it reads as it was.
//! * The file is durable under its last name before the frame is written. So a frame that reads back has its file;
//!   where it has not, that is damage. A file without a frame was never acknowledged, and is removed at start.
//! * The file goes with its segment, and counts into the size of the journal.
//! * Readers get its entries in pieces (`pieces.rs`), plain and block by block checked against the frame.

mod blocks;
mod location;
mod pieces;
mod space;
mod spool;
mod writing;

pub(super) use blocks::Blocks;
pub(super) use location::LargePlace;
pub(super) use pieces::{LargeFault, Piece, Pieces};
pub use space::SpaceWait;
pub use spool::{LargeEntries, Spool, SpoolFolder};
