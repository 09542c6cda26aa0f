//! Records for the peer that the socket has not taken yet.

use rustls::Error;
use rustls::unbuffered::{EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, WriteTraffic};

/// More than what any cipher suite adds to a record.
const OVERHEAD: usize = 64;

/// Without memory while there is nothing to send.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    records: Vec<u8>,
    sent: usize,
}

impl Outgoing {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.records[self.sent..]
    }

    pub(super) fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.records.len() {
            *self = Self::default();
        }
    }

    /// A message of the handshake, or an alert.
    pub(super) fn encode<D>(&mut self, mut data: EncodeTlsData<'_, D>) -> Result<(), Error> {
        self.append(OVERHEAD, |out| match data.encode(out) {
            Ok(count) => Ok(count),
            Err(EncodeError::InsufficientSize(size)) => Err(Refused::TooSmall(size)),
            Err(error) => Err(Refused::Broken(Error::General(error.to_string()))),
        })
    }

    pub(super) fn encrypt<D>(
        &mut self,
        traffic: &mut WriteTraffic<'_, D>,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.append(bytes.len() + OVERHEAD, |out| traffic.encrypt(bytes, out).map_err(Refused::from))
    }

    pub(super) fn close<D>(&mut self, traffic: &mut WriteTraffic<'_, D>) -> Result<(), Error> {
        self.append(OVERHEAD, |out| traffic.queue_close_notify(out).map_err(Refused::from))
    }

    /// Where whole records are to be appended.
    pub(super) fn records(&mut self) -> &mut Vec<u8> {
        &mut self.records
    }

    /// rustls says how much room it needs if it is not enough.
    fn append(
        &mut self,
        room: usize,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Refused>,
    ) -> Result<(), Error> {
        let start = self.records.len();
        self.records.resize(start + room, 0);
        let mut written = write(&mut self.records[start..]);
        if let Err(Refused::TooSmall(InsufficientSizeError { required_size })) = written {
            self.records.resize(start + required_size, 0);
            written = write(&mut self.records[start..]);
        }
        self.records.truncate(start + *written.as_ref().unwrap_or(&0));
        match written {
            Ok(_) => Ok(()),
            Err(Refused::Broken(error)) => Err(error),
            Err(Refused::TooSmall(size)) => {
                Err(Error::General(format!("rustls asks for more and more: {size:?}")))
            }
        }
    }
}

enum Refused {
    TooSmall(InsufficientSizeError),
    Broken(Error),
}

impl From<EncryptError> for Refused {
    fn from(error: EncryptError) -> Self {
        match error {
            EncryptError::InsufficientSize(size) => Self::TooSmall(size),
            EncryptError::EncryptExhausted => Self::Broken(Error::EncryptError),
        }
    }
}
