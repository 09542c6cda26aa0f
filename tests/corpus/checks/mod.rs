//! What must hold for any bytes at all. Shared by the corpus tests and the fuzz targets.

#![allow(clippy::unwrap_used)]

pub(crate) mod decoder;
pub(crate) mod handshake;
pub(crate) mod inflation;
pub(crate) mod json_writer;
pub(crate) mod tls_records;
