//! The key of one direction, and how many records it has been used for.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::cipher::{self, Iv};
use rustls::{ConnectionTrafficSecrets, ContentType, Error};

use super::fault::Fault;
use super::header;

/// Bytes of the tag, of all cipher suites of TLS 1.3 that rustls knows.
pub(super) const TAG: usize = 16;

pub(super) struct Key {
    key: LessSafeKey,
    iv: Iv,
    /// Of the next record.
    sequence: u64,
}

impl Key {
    pub(super) fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, Error> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Error::General("a cipher suite that is not known here".to_owned())),
        };
        let key = UnboundKey::new(algorithm, key.as_ref())
            .map_err(|_| Error::General("a traffic key of the wrong length".to_owned()))?;
        Ok(Self { key: LessSafeKey::new(key), iv, sequence })
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    #[cfg(test)]
    pub(super) fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// Deciphers to `plaintext`, which has the length of what is sealed without its tag. Where that fails nobody may look
    /// at what is there.
    pub(super) fn open_into(
        &mut self,
        header: &[u8],
        sealed: &[u8],
        plaintext: &mut [u8],
    ) -> Result<(), Fault> {
        let Some((ciphertext, tag)) = sealed.split_last_chunk::<TAG>() else {
            return Err(Fault::bad_record());
        };
        let nonce = self.next_nonce()?;
        self.key
            .open_separate_gather(nonce, Aad::from(header), ciphertext, tag, plaintext)
            .map_err(|_| Fault::bad_record())
    }

    /// Deciphers to where it lies, all but the tag.
    pub(super) fn open_in_place(&mut self, header: &[u8], sealed: &mut [u8]) -> Result<(), Fault> {
        let nonce = self.next_nonce()?;
        match self.key.open_in_place(nonce, Aad::from(header), sealed) {
            Ok(_) => Ok(()),
            Err(_) => Err(Fault::bad_record()),
        }
    }

    /// Appends a record.
    pub(super) fn seal(&mut self, kind: ContentType, content: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let nonce = self.next_nonce()?;
        let start = out.len();
        let header = header::header(content.len() + 1 + TAG);
        out.reserve(header.len() + content.len() + 1 + TAG);
        out.extend_from_slice(&header);
        out.extend_from_slice(content);
        out.push(kind.into());
        let inner = &mut out[start + header.len()..];
        match self.key.seal_in_place_separate_tag(nonce, Aad::from(header), inner) {
            Ok(tag) => out.extend_from_slice(tag.as_ref()),
            Err(_) => {
                out.truncate(start);
                return Err(Error::EncryptError);
            }
        }
        Ok(())
    }

    /// No nonce comes twice.
    fn next_nonce(&mut self) -> Result<Nonce, Error> {
        let sequence = self.sequence;
        self.sequence = sequence.checked_add(1).ok_or(Error::EncryptError)?;
        Ok(Nonce::assume_unique_for_key(cipher::Nonce::new(&self.iv, sequence).0))
    }
}
