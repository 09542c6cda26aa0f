//! What the exit code of the process means, besides 0 and 1.

/// The configuration is wrong: `EX_CONFIG` of sysexits.h. Starting again changes nothing until it is mended.
pub(super) const CONFIGURATION: u8 = 78;

/// The arguments are wrong, as clap has it.
pub(super) const USAGE: u8 = 2;
