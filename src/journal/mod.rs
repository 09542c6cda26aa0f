//! The journal: a folder of append-only segment files, and the only truth about what was received.
//!
//! * [`Journal::append`] hands a chunk to the one thread that writes (`writer.rs`). It collects what is waiting, writes
//!   it, syncs once for all of it, and only then shows it to readers and answers the senders. Chunks that are sent
//!   again are recognised by sender, tag and id (`dedup`).
//! * [`Reader`] follows from any position: from memory while it keeps up, from disk where it does not.
//! * [`OutputCursor`] says how far an output has come. A segment goes once every cursor has passed it; while its chunk
//!   ids are still needed, its footer is left behind (`left_behind.rs`).
//! * Which segments there must be, and how far they were synced, is known without them (`missing.rs`, `synced_mark.rs`).
//! * Opening (`open`) scans the one segment that was not sealed, cuts its torn tail, makes what is kept durable
//!   again, and reads the footers of the others. Damage in the middle is set aside and counted (`damage.rs`).
//! * An output that is too far behind is asked to leave segments behind (`backlog.rs`, `skip.rs`), which may be set aside
//!   for it ([`SetAside`]).
//! * Messages that are too large for memory come as files, and go out in pieces ([`large`](mod@large)).
//! * After a failed sync the journal is finished: it answers nothing more, says so, and a restart recovers. The page
//!   cache may then show bytes that never reached the disk, and a second sync may well succeed without them.
//!
//! The bytes are drawn in [`format`](mod@format).

mod active_segment;
mod append;
mod attaching;
mod backlog;
mod commit_buffer;
#[cfg(test)]
mod commit_tests;
mod cursor;
pub mod cursor_attributes;
mod damage;
mod dedup;
pub(crate) mod durable;
#[cfg(test)]
mod fake_segment;
pub mod format;
mod frame_reader;
mod handle;
mod home;
mod in_place;
pub mod inspect;
mod kept_ids;
pub mod large;
mod left_behind;
mod missing;
#[cfg(test)]
mod name_tests;
mod next_segment;
mod open;
mod output_cursor;
mod packing;
mod position;
#[cfg(test)]
mod power_tests;
mod queue_room;
mod read_ahead;
mod reader;
mod recent;
mod remaining;
mod removal;
pub mod replay;
mod retention;
mod scan;
mod segment_file;
mod set_aside;
mod shared;
mod skip;
#[cfg(test)]
mod stuck_tests;
mod synced_mark;
#[cfg(test)]
mod trouble_tests;
#[cfg(test)]
mod unreadable_large_tests;
#[cfg(test)]
mod unreadable_tests;
#[cfg(test)]
mod vanished_tests;
pub(crate) mod writer;
mod writer_thread;

pub use append::{AppendError, Appended, Receipt, ReceiptSender};
pub use backlog::{Fate, HOLD, Skip, is_hold};
pub use cursor::{CursorError, CursorFolder, SavedCursor};
pub(crate) use dedup::RETRY_ID;
pub use handle::Journal;
pub(crate) use home::Home;
pub use open::OpenError;
pub use output_cursor::OutputCursor;
pub use position::Position;
#[cfg(test)]
pub(crate) use queue_room::MAX_QUEUED;
pub use queue_room::QueueRoom;
pub use reader::{READ_TRIES, ReadError, Reader, StoredChunk};
pub use remaining::Backlog;
pub use replay::{Replay, Replays};
pub use set_aside::{SetAside, SetAsideError, SetAsideSegment};
pub use shared::Status;
pub use skip::SkipError;
