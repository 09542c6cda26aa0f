//! [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md), as far as logs need it: reading a value at
//! a time from a slice, skipping over values, and writing. Nothing here builds a tree or copies a string.
//!
//! A `str` is read as bytes: Fluentd and Fluent Bit send binary data in it.

mod read;
mod scan;
mod skip;
mod write;

pub use read::{Token, read};
pub(super) use scan::Head;
pub use scan::{ScanError, Scanner};
pub use skip::{ENVELOPE_DEPTH, LikelyKeys, MAX_DEPTH, skip, skip_within};
pub use write::{
    write_array, write_bin, write_bin_head, write_bool, write_f64, write_i64, write_map, write_nil,
    write_str, write_str_head, write_u64,
};

/// Why bytes are not the msgpack that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// The bytes end inside a value. More bytes may help.
    #[error("the data ends inside a msgpack value")]
    Incomplete,
    /// The byte 0xc1, which msgpack never uses.
    #[error("0xc1 at byte {at} begins no msgpack value")]
    Reserved {
        /// Where, from the start of the slice.
        at: usize,
    },
    /// Containers are nested too deep: past [`MAX_DEPTH`], or a lower limit of the caller.
    #[error("arrays and maps are nested more than {limit} deep")]
    TooDeep {
        /// How deep they may be.
        limit: usize,
    },
}

impl MsgpackError {
    /// The same, told of a longer slice in which this one began at `offset`.
    pub(crate) fn behind(self, offset: usize) -> Self {
        match self {
            Self::Reserved { at } => Self::Reserved { at: at + offset },
            error => error,
        }
    }
}
