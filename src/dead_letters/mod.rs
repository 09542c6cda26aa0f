//! The store of dead letters, as operators see it: what lies in `DATA_DIR/dead-letters/`, and what was settled of it.
//!
//! * Outputs of their own write the letters (`output/file/dead_letters.rs`), one JSON object a line, through the
//!   checkpoints of any file output. Nobody else ever writes or removes those files.
//! * A [`Letter`] is read back from its line and named by it: the [`LetterId`] is a hash of the line's bytes, so that a
//!   letter that is written again after a crash is the same letter.
//! * Whoever drops or retries letters *settles* them ([`Settled`]): their ids are added to `settled.log`, synced, under
//!   a lock. So this is safe while a server writes, and takes effect at once.
//! * The writer's [`Keeper`] removes files of which every letter is settled, and the oldest ones past a limit.
//!
//! On disk:
//!
//! ```text
//! DATA_DIR/dead-letters/YYYY-MM-DD*.jsonl  letters by the day of receipt
//! DATA_DIR/dead-letters/settled.log        ids of letters that were dropped or retried
//! DATA_DIR/dead-letters/requests/          what is to be retried, for the server
//! DATA_DIR/dead-letters/lock               held by whoever writes settled.log, or removes what is set aside
//! DATA_DIR/dead-letters/segments/          segments that outputs left behind (journal/set_aside.rs)
//! ```

mod file_name;
mod filter;
mod keeper;
mod letter;
mod lock;
pub mod requests;
pub mod segment_requests;
mod settled;
mod store;

use std::io;
use std::path::{Path, PathBuf};

pub use filter::Filter;
pub use keeper::Keeper;
pub use letter::{Contents, Letter, LetterId};
pub use lock::FolderLock;
pub use settled::{Outcome, Remembered, Settled};
pub use store::{Scan, Store};

/// Where the letters lie below a data folder.
pub fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("dead-letters")
}

/// The store can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}. Check permissions and free space of the data folder", path.display())]
pub struct StoreError {
    pub action: &'static str,
    pub path: PathBuf,
    pub source: io::Error,
}

impl StoreError {
    /// For `map_err`.
    fn of(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}
