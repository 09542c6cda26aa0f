//! A client that seals whatever it is told to, with keys that rustls derives.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::crypto::cipher::{self, Iv};
use rustls::kernel::KernelConnection;

const HEADER: usize = 5;
const TAG: usize = 16;

pub(super) struct Client {
    kernel: KernelConnection<ClientConnectionData>,
    sealing: Key,
    opening: Key,
    /// What came of a handshake message so far, as long as it can become a key update.
    fragment: Vec<u8>,
    /// The server was asked for other keys.
    has_asked: bool,
}

struct Key {
    key: LessSafeKey,
    iv: Iv,
    sequence: u64,
}

impl Key {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("another cipher suite"),
        };
        Self { key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap()), iv, sequence }
    }

    fn nonce(&mut self) -> Nonce {
        self.sequence += 1;
        Nonce::assume_unique_for_key(cipher::Nonce::new(&self.iv, self.sequence - 1).0)
    }
}

impl Client {
    pub(super) fn new(connection: UnbufferedClientConnection) -> Self {
        let (secrets, kernel) = connection.dangerous_into_kernel_connection().unwrap();
        let (sealing, opening) = (Key::new(secrets.tx), Key::new(secrets.rx));
        Self { kernel, sealing, opening, fragment: Vec::new(), has_asked: false }
    }

    pub(super) fn record(&mut self, kind: u8, content: &[u8], zeros: usize) -> Vec<u8> {
        let length = u16::try_from(content.len() + 1 + zeros + TAG).unwrap();
        let header = [&[23, 3, 3][..], &length.to_be_bytes()].concat();
        let mut sealed = [content, &[kind], &vec![0; zeros]].concat();
        let nonce = self.sealing.nonce();
        self.sealing.key.seal_in_place_append_tag(nonce, Aad::from(&header), &mut sealed).unwrap();
        [header, sealed].concat()
    }

    /// Takes its next key where what it sent of the handshake was a key update; `false` where it can't become one.
    pub(super) fn may_have_updated(&mut self, content: &[u8]) -> bool {
        self.fragment.extend(content);
        if let [24, 0, 0, 1, wanted @ (0 | 1)] = self.fragment[..] {
            self.sealing = Key::new(self.kernel.update_tx_secret().unwrap());
            self.fragment.clear();
            self.has_asked |= wanted == 1;
        }
        [24, 0, 0, 1].iter().zip(&self.fragment).all(|(expected, byte)| expected == byte)
    }

    /// The data of a server's records, and whether it said at their end that this was all. It keeps to all rules.
    pub(super) fn decipher(&mut self, mut bytes: &[u8]) -> (Vec<u8>, bool) {
        let (mut data, mut has_closed, mut is_over) = (Vec::new(), false, false);
        while let Some((header, rest)) = bytes.split_at_checked(HEADER) {
            assert!(!is_over, "nothing follows what says that nothing follows");
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            assert!(header.starts_with(&[23, 3, 3]) && length <= (1 << 14) + 1 + TAG);
            let (sealed, rest) = rest.split_at(length);
            let mut sealed = sealed.to_vec();
            let nonce = self.opening.nonce();
            let inner = self.opening.key.open_in_place(nonce, Aad::from(header), &mut sealed).unwrap();
            match inner {
                [content @ .., 23] => data.extend_from_slice(content),
                [24, 0, 0, 1, 0, 22] => {
                    assert!(self.has_asked, "only who was asked takes other keys");
                    self.opening = Key::new(self.kernel.update_rx_secret().unwrap());
                }
                [1, 0, 21] => (has_closed, is_over) = (true, true),
                [2, alert, 21] if *alert != 0 => is_over = true,
                other => panic!("a server sends no {other:?}"),
            }
            bytes = rest;
        }
        assert!(bytes.is_empty(), "whole records");
        (data, has_closed)
    }
}
