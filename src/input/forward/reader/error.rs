//! Why reading from a connection ends.

use std::io;
use std::time::Duration;

use crate::input::forward::large::LargeError;
use crate::journal::AppendError;
use crate::wire::refusal::Refusal;

/// Why there is no further message.
#[derive(Debug, thiserror::Error)]
pub(in crate::input::forward) enum ReadError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("the connection broke: {0}")]
    Network(#[from] io::Error),
    #[error("the peer closed the connection inside a message, {0} bytes of it had come")]
    CutShort(usize),
    #[error("the peer sent nothing for {0:?} (idle_timeout)")]
    Idle(Duration),
    #[error("the rest of a message did not come within {timeout:?}, {buffered} bytes of it had come")]
    Stalled { timeout: Duration, buffered: usize },
    #[error(
        "a large message came at less than min_rate ({min_rate} bytes a second), {received} bytes of it had come; \
         mend the network or lower the limit"
    )]
    TooSlow { min_rate: u64, received: u64 },
    #[error(transparent)]
    Disk(io::Error),
    #[error("not taken: {0}")]
    Journal(#[from] AppendError),
}

impl From<LargeError> for ReadError {
    fn from(error: LargeError) -> Self {
        match error {
            LargeError::Refused(refusal) => Self::Refused(refusal),
            LargeError::Disk(_) => Self::Disk(io::Error::other(error.to_string())),
            LargeError::NoSpace => Self::Journal(AppendError::Full),
            LargeError::Stopped => Self::Journal(AppendError::Stopped),
        }
    }
}
