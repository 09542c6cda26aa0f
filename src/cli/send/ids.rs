//! The ids under which messages are acknowledged.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

/// Ids of one run, which no other run has.
#[derive(Debug, Clone, Copy)]
pub(super) struct MessageIds {
    run: [u8; 8],
}

impl MessageIds {
    pub(super) fn new() -> Self {
        let mut run = [0; 8];
        aws_lc_rs::rand::fill(&mut run).expect("the operating system gives random bytes");
        Self { run }
    }

    /// 16 bytes in base64, as Fluentd's are; the same for the same number.
    pub(super) fn id(&self, number: u64) -> Bytes {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.run);
        id[8..].copy_from_slice(&number.to_be_bytes());
        BASE64_STANDARD.encode(id).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_number_and_by_run() {
        let ids = MessageIds::new();
        assert_eq!(ids.id(7), ids.id(7));
        assert_ne!(ids.id(7), ids.id(8));
        assert_ne!(ids.id(7), MessageIds::new().id(7));
    }
}
