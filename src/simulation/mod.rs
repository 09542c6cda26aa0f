//! A whole server on a simulated disk, with senders before it and other people's hands in its archive: everything that
//! happens follows from one number, the seed, so that whatever goes wrong can be seen again.
//!
//! A seed makes a world (`settings.rs`) and drives it, one step after the other, on one thread:
//!
//! * **senders** (`sender.rs`), some of whose chunks go through files, that repeat what is not acknowledged, also over a new connection and to a new process;
//! * the journal's **writer** and **outputs** into archive files, which are the real ones (`life.rs`);
//! * a **forward output** that is the real one but for sockets and threads, with a server that answers or not
//!   (`upstream.rs`); what it gives up goes through a **journal of its own** (`given_up.rs`) to another output or to the
//!   dead letters;
//! * a **disk** whose calls fail, that fills up, that lies after a failed sync, and on which some files can't be written for
//!   a long while, so that outputs give them up ([`crate::storage::simulated`]);
//! * **ends** of the process in any call, by a kill or by a power failure, also while it starts and recovers;
//! * **restarts**, some without one of the outputs;
//! * **copies** of the data folder while all of that goes on, each with a server that begins with it (`copying.rs`);
//! * **others** who move, cut and remove archive files, and a clock that jumps.
//!
//! After every start, and in the end, when nothing goes wrong any more and all is delivered, the **model** (`model.rs`)
//! compares what is there with what was promised: what was acknowledged is in the archive or still to come, and each
//! event once for each output; no file is half written, every dead letter reads, nothing of the journal is damaged, and
//! the counters add up.

mod archive;
mod check;
mod copying;
mod counters;
mod given_up;
mod life;
mod model;
mod others;
mod report;
mod sender;
mod settings;
mod upstream;
mod world;

pub use report::{Failure, Options, Report};
pub use world::run;
