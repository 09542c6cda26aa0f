//! Which cipher suites the server takes, and in which order.

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// All that rustls has, AES-128 first. Clients offer AES-256 before it as a rule, which costs both sides a fifth more to no
/// purpose: nobody can break either. A client that wants AES-256 or ChaCha20 alone offers nothing else, and gets it.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !is_aes_128(suite.suite()));
    provider
}

fn is_aes_128(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aes_128_comes_first_and_none_is_missing() {
        let usual = aws_lc_rs::default_provider().cipher_suites;
        let ours = provider().cipher_suites;
        assert!(ours[..3].iter().all(|suite| is_aes_128(suite.suite())));
        assert_eq!(ours.len(), usual.len());
        assert!(usual.iter().all(|suite| ours.contains(suite)));
    }
}
