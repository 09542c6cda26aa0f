//! To servers that speak the forward protocol: hikyaku, Fluentd, Fluent Bit.
//!
//! ```text
//! journal ──▶ packer ──▶ ledger ──▶ courier ──▶ connection ──▶ server
//!             (messages)    ▲          │  ▲
//!                           └──────────┘  └── pool: which server
//!                         acknowledged
//! ```
//!
//! The output's own thread (`delivery.rs`) reads the journal and packs chunks into messages (`packer.rs`). Each message
//! is carried by a task of its own (`courier.rs`) until a server acknowledges it, however often that takes; so many at a
//! time as the output has `connections`. How far it has come is in `progress.rs`, which knows no server. A connection carries one message at a time, so that no more than one is ever
//! in doubt on it. The ledger knows which messages are under way; the cursor is where the oldest of them begins.
//!
//! # Once, behind a hikyaku upstream
//!
//! A message's id is derived from what it is made of (`message_id.rs`), so it has the same one whenever it is sent again,
//! also after a restart, and the upstream recognises it. That helps only at the server that may have it already:
//! once a byte of a message went out and no acknowledgement came, it is *in doubt* and stays with its server for
//! `in_doubt_timeout`. Meanwhile it lets others go on in its place, up to `max_in_doubt`. Then another server gets it,
//! which is counted, since it may now be in two places. After a restart every message from the cursor on that had gone
//! to a server is in doubt (`sent_log.rs`).
//!
//! # Giving up
//!
//! A message that could not be delivered for `retry_timeout` goes to another output or to the dead letters
//! (`retry_limit.rs`, [`given_up`](crate::output::given_up)), and the ledger has one less. One that is in doubt by then is
//! marked so, and counted.
//!
//! # Memory
//!
//! `connections` + `max_in_doubt` messages of `chunk_size` (or of one larger event), one that is being packed, and one
//! chunk of the journal, inflated. A message that goes out as it is stored shares the memory of what was synced together
//! with it, a few megabytes, until it is acknowledged or in doubt.

mod back_off;
mod compress;
mod connection;
mod courier;
mod delivery;
mod failures;
mod heartbeat;
mod idle;
mod ledger;
mod message;
mod message_id;
mod open;
mod packer;
pub mod pool;
mod progress;
mod resolve;
mod retry_limit;
mod sending;
mod sent_log;
#[cfg(feature = "simulation")]
pub(crate) mod simulated;
mod unpack;

pub use delivery::ForwardOutput;
pub use open::{OpenError, open_output};
pub(super) use packer::write_event;
pub use resolve::{Answer, Lookup, ServiceRecord, SystemLookup};
