//! Archive files: the life of one, from its first line to a crash and back.
//!
//! A chunk's events are filtered, routed and formatted (`event_lines.rs`); the loop of the output (`delivery.rs`)
//! flushes every `flush_interval`, or when `buffer_memory` is reached or each file gets enough, and takes a checkpoint every
//! `checkpoint_interval`, or when the journal needs space. Below that:
//!
//! ```text
//!            append                flush                  checkpoint
//! lines ──────────────▶ buffers ──────────────▶ files ──────────────────▶ cursor
//!                       (memory)      │      (page cache)     │          (generation + 1)
//!                                     ▼                       ▼
//!                         undo log: what they were       void, removed
//!                                     │
//!                                     ▼  after a crash
//!                       recovery: files as the cursor has it ─▶ the journal delivers again
//! ```
//!
//! The promise: each line is in its file once, in order, whatever happens between any two system calls. It rests on
//! one thought: **nothing is written that can't be undone.**
//!
//! # The life of a file
//!
//! 1. **Buffer.** [`Archive::append`] puts a line into the memory of its file. A [`SlotId`] is good until the next
//!    flush, so the path is looked up once for many lines, and nothing has to be kept for files that get none.
//! 2. **Flush.** [`Archive::flush`] writes *all* buffers, each as one whole gzip member (where the path ends in `.gz`)
//!    or as it is, behind the end of its file. All of them, always: after a flush the files are exactly where the
//!    journal was read up to, and this one position is all that a cursor has to hold. Large pieces of plain text may still be
//!    on their way, past the page cache (`archive/large.rs`); whatever comes next waits for them.
//! 3. **Undo record.** Before the first write to a file since the last checkpoint, a record of what it was is synced:
//!    which file it is, and how long. A new file takes two steps, each with one sync for all new files of the flush:
//!    *absent* (we are about to make it), then, when it is made and still empty, *created* (it is this one). Then the
//!    data. The format is drawn in `undo/mod.rs`.
//! 4. **Checkpoint.** [`Archive::checkpoint`] syncs the files, and the folders in which names may be new. Only then
//!    the caller replaces the cursor, which carries the number of the next *generation*. With that very replacement
//!    the undo log of the old generation is void; that it is removed is tidiness.
//! 5. **Recovery.** Before anything else at the next start, [`recover`] reads the undo log of the cursor's generation.
//!    Files that were there are cut back, files that were made are removed, and what is cut off is kept under
//!    `undone/` for a person to look at. What recovery may find, and what it does then, is a table in
//!    `recovery/mod.rs`.
//!
//! # Where a crash can fall
//!
//! | the crash falls | on disk | recovery |
//! | --- | --- | --- |
//! | before the records are synced | a torn undo log, files untouched | nothing to do |
//! | between *absent* and *created* | perhaps an empty file | removes it |
//! | between the records and the end of a write | half a member | cuts it off |
//! | between a write and the replacement of the cursor | more than the cursor says | cuts it off |
//! | after the replacement of the cursor | an old undo log | ignores and removes it |
//! | in the middle of recovery | some files are back already | the next one does the rest |
//!
//! A power failure adds that anything not yet synced may be missing, in any combination. Records are synced before
//! data, data and names before the cursor, cuts and removals before the undo log goes; so that falls into the same rows.
//!
//! On disk:
//!
//! ```text
//! DATA_DIR/outputs/ID/undo-GENERATION           what files were; one log, two for the moment of a checkpoint
//! DATA_DIR/undone/ID/GENERATION-LIFE-NUMBER-PATH  what recovery cut off, bounded by undone_max_size
//! ```
//!
//! # Somebody else's hands
//!
//! People move, remove, cut and extend files. Before each flush, and again right before each write, what lies at the
//! path is compared with what must be there ([`Identity`](crate::storage::Identity), length). If it is something else,
//! and we have lines in it that no checkpoint covers, a checkpoint of the *last* flush comes first. Then the file is
//! taken as it is: a moved or removed one is let go and a new one is made; a changed one is recorded anew, and writing
//! goes on at its end.
//! Recovery likewise leaves alone, and counts, whatever is not the file that it knows. Where nobody notices before a
//! crash, a file that was moved away keeps lines that are then delivered once more: twice rather than nowhere. And a gzip
//! file that somebody cut in the middle of a member stays unreadable from there on; we do not know what they wanted.
//!
//! # Errors
//!
//! A *write* that fails is cut off again, at the latest before the next thing that is done to the file. Its lines stay
//! in memory, the other files are written, and flushing again writes what is left; a checkpoint is refused until then.
//! A *sync* that fails is final ([`ArchiveError::needs_recovery`]), and so is a large piece on its way: the kernel may have dropped what it could not write
//! and would call the next sync a success. The same goes for a cursor of which nobody knows whether it was replaced.
//! The undo log still tells the way back, so the output drops the archive, finds out which cursor holds, recovers, and
//! reads on from the cursor (`delivery/take_back.rs`), as often as it takes, while all else goes on. An output that can't
//! be recovered at the start begins with that, unless another one could write to its files ([`recover_all`]).
//! A single file that can't be written however often it is tried is given up where the configuration says so (`give_up/`).
//!
//! # How it is tested
//!
//! All system calls go through [`Storage`](crate::storage::Storage). In `tests/` a run is cut off before every single
//! one of them, and so is the recovery that follows; every call fails once while the process goes on; and the power
//! fails, which takes bytes and names that were not synced and brings back what was cut or removed. The simulation of
//! the whole server (`src/simulation/`) runs the same code on a disk that does all of this by chance.

mod archive;
mod dead_letters;
mod delivery;
mod error;
mod event_lines;
pub mod format;
mod give_up;
pub mod gzip;
mod lines;
mod outputs;
mod preview;
mod recover_all;
mod recovery;
mod slots;
#[cfg(test)]
mod tests;
mod undo;

pub use archive::{Archive, ArchiveOptions, SaveCursor, SlotId};
pub use dead_letters::DEAD_LETTERS;
#[cfg(feature = "simulation")]
pub(crate) use dead_letters::GIVEN_UP;
pub use delivery::FileOutput;
#[cfg(feature = "simulation")]
pub(crate) use delivery::{DeliveryError, Next};
pub use error::{ArchiveError, SaveCursorError};
pub use outputs::{open_dead_letters, open_forgotten, open_given_up, open_output};
pub use preview::FilePreview;
pub use recover_all::{RecoverError, Unrecovered, recover_all};
pub use recovery::{Outcome, RecoveryError, RecoveryOptions, RecoveryReport, recover};
pub use undo::ReadUndoLogError;
pub(crate) use undo::{check_undo_logs, lengths_at_checkpoint};
