//! Values that only a key opens: AES-256-GCM, deterministic, so that a chunk that is read again gives the same bytes.
//!
//! ```text
//! hikyaku:1: base64url( key id (4) | iv (24) | ciphertext | tag (16) )
//!
//! iv          = HMAC-SHA-256(K_iv,  place of the event (20) | length of the field's name (4) | name | plaintext), cut to 24
//! message key = HMAC-SHA-256(K_enc, iv[0..12])
//! nonce       = iv[12..24]
//! plaintext   = the value in msgpack; "hikyaku:1:" and the key id are authenticated with it
//! K_iv, K_enc, key id = HMAC-SHA-256(key file, "hikyaku field iv" / "hikyaku field key" / "hikyaku field id")
//! ```
//!
//! A nonce must never meet its key twice with different plaintexts. The place alone (segment, offset, entry) would do as
//! long as there is one journal; but a new journal counts from the start again, perhaps with the old key file, and two
//! servers may share one. So the plaintext goes into the iv as well, as in a synthetic iv (RFC 5297): two messages
//! share an iv only where place, field and plaintext are the same, and then all of their bytes are. By chance two of
//! 192 bits meet after about 2^96 values. The same value at two places still looks different.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::config::KeyFile;

/// What every encrypted value begins with.
pub const PREFIX: &str = "hikyaku:1:";

const KEY_ID_LENGTH: usize = 4;
const IV_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

/// Encrypts and decrypts with one key.
#[derive(Debug)]
pub struct FieldCipher {
    id: [u8; KEY_ID_LENGTH],
    iv_key: hmac::Key,
    message_keys: hmac::Key,
}

/// Why a value stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("it is not encrypted")]
    NotEncrypted,
    #[error("it was cut or changed: it is no base64 of an encrypted value")]
    Damaged,
    #[error("it was encrypted with another key")]
    OtherKey,
    #[error("it was changed: its authentication tag does not fit")]
    Changed,
}

impl FieldCipher {
    pub fn new(file: &KeyFile) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, file.reveal());
        let derived = |label: &[u8]| hmac::sign(&key, label);
        let hmac_key = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, derived(label).as_ref());
        let mut id = [0; KEY_ID_LENGTH];
        id.copy_from_slice(&derived(b"hikyaku field id").as_ref()[..KEY_ID_LENGTH]);
        Self { id, iv_key: hmac_key(b"hikyaku field iv"), message_keys: hmac_key(b"hikyaku field key") }
    }

    /// Appends the encrypted form of a value, as text.
    pub fn encrypt(&self, place: &[u8; 20], field: &str, value: &[u8], out: &mut Vec<u8>) {
        let mut context = hmac::Context::with_key(&self.iv_key);
        context.update(place);
        context.update(&(field.len() as u32).to_be_bytes());
        context.update(field.as_bytes());
        context.update(value);
        let iv = context.sign();
        let mut bytes = Vec::with_capacity(KEY_ID_LENGTH + IV_LENGTH + value.len() + TAG_LENGTH);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&iv.as_ref()[..IV_LENGTH]);
        let (key, nonce) = self.message_key(&bytes[KEY_ID_LENGTH..]);
        bytes.extend_from_slice(value);
        let start = KEY_ID_LENGTH + IV_LENGTH;
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(self.associated()), &mut bytes[start..])
            .expect("AES-GCM takes up to 64 GiB, and values are far smaller");
        bytes.extend_from_slice(tag.as_ref());
        out.extend_from_slice(PREFIX.as_bytes());
        let start = out.len();
        out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let length = BASE64_URL_SAFE_NO_PAD
            .encode_slice(&bytes, &mut out[start..])
            .expect("the space is that of base64 with padding");
        out.truncate(start + length);
    }

    /// Opens an encrypted value: the msgpack that it was.
    ///
    /// # Errors
    ///
    /// Where the text is none of ours, of another key, or was changed.
    pub fn decrypt(&self, text: &str) -> Result<Vec<u8>, DecryptError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(DecryptError::NotEncrypted)?;
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| DecryptError::Damaged)?;
        if bytes.len() < KEY_ID_LENGTH + IV_LENGTH + TAG_LENGTH {
            return Err(DecryptError::Damaged);
        }
        if bytes[..KEY_ID_LENGTH] != self.id {
            return Err(DecryptError::OtherKey);
        }
        let (key, nonce) = self.message_key(&bytes[KEY_ID_LENGTH..KEY_ID_LENGTH + IV_LENGTH]);
        let sealed = &mut bytes[KEY_ID_LENGTH + IV_LENGTH..];
        let opened = key
            .open_in_place(nonce, Aad::from(self.associated()), sealed)
            .map_err(|_| DecryptError::Changed)?;
        Ok(opened.to_vec())
    }

    fn message_key(&self, iv: &[u8]) -> (LessSafeKey, Nonce) {
        let (first, second) = iv.split_at(IV_LENGTH / 2);
        let key = hmac::sign(&self.message_keys, first);
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("HMAC-SHA-256 has 256 bits");
        let nonce = Nonce::try_assume_unique_for_key(second).expect("half of an iv is 96 bits");
        (LessSafeKey::new(key), nonce)
    }

    fn associated(&self) -> [u8; PREFIX.len() + KEY_ID_LENGTH] {
        let mut associated = [0; PREFIX.len() + KEY_ID_LENGTH];
        associated[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        associated[PREFIX.len()..].copy_from_slice(&self.id);
        associated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(digit: &str) -> FieldCipher {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, digit.repeat(64)).unwrap();
        FieldCipher::new(&KeyFile::read(&path).unwrap())
    }

    fn encrypted(place: u8, field: &str, value: &[u8]) -> String {
        let mut out = Vec::new();
        cipher("7").encrypt(&[place; 20], field, value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_encrypted_opens_with_the_same_key_only() {
        for value in [&b"\xa6secret"[..], b"\xc3", b"", &[0x42; 70_000]] {
            let text = encrypted(1, "a", value);
            assert_eq!(cipher("7").decrypt(&text).unwrap(), value);
            assert_eq!(cipher("8").decrypt(&text), Err(DecryptError::OtherKey));
        }
    }

    #[test]
    fn the_same_value_looks_the_same_only_at_the_same_place() {
        let text = encrypted(1, "a", b"\xa1x");
        assert_eq!(text, encrypted(1, "a", b"\xa1x"));
        for other in [encrypted(2, "a", b"\xa1x"), encrypted(1, "b", b"\xa1x"), encrypted(1, "a", b"\xa1y")] {
            assert_ne!(text[..PREFIX.len() + 20], other[..PREFIX.len() + 20], "not even the iv");
        }
    }

    #[test]
    fn a_new_journal_counts_again_and_no_nonce_meets_its_key_twice() {
        // The same place and field with another value: as after the data folder was emptied.
        assert_ne!(encrypted(1, "a", b"\xa1x")[14..46], encrypted(1, "a", b"\xa1y")[14..46]);
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let text = encrypted(1, "a", b"\xa6secret");
        for at in PREFIX.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(cipher("7").decrypt(&String::from_utf8(changed).unwrap()).is_err(), "at {at}");
        }
        assert_eq!(cipher("7").decrypt("secret"), Err(DecryptError::NotEncrypted));
        assert_eq!(cipher("7").decrypt(PREFIX), Err(DecryptError::Damaged));
        assert!(cipher("7").decrypt(&text[..text.len() - 4]).is_err());
    }
}
