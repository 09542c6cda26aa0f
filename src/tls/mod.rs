//! Who is speaking, and whom they speak to: TLS with certificates on both sides.
//!
//! aws-lc-rs is named as the provider wherever a configuration is built, so that nothing here depends on what the
//! process has installed as its default.

pub mod aging;
pub mod client;
pub mod contents;
pub mod expiry;
pub mod explain;
pub mod generate;
pub mod identity;
pub mod pem;
pub mod reload;
pub mod server;
pub mod shown;
