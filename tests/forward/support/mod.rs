//! A server on a free port, a scripted journal, certificates, and clients.

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod journal;
pub(crate) mod log;
pub(crate) mod server;
