//! Tokens, API keys and passwords, by the shapes that issuers gave them.

use std::ops::Range;

use regex::bytes::Regex;

use super::contents::{CAPITAL_A, COLON, Contents, DOT, EQUALS, JOINER, SPACE};
use crate::pipeline::patterns::compile;

/// Names in front of secrets, and what stands between. Only the secret itself is hidden.
const NAMED: &str = r#"(?i:api[_-]?key|access[_-]?key|access[_-]?token|auth[_-]?token|refresh[_-]?token|id[_-]?token|client[_-]?secret|token|secret|password|passwd|pwd)["']?\s*[=:]\s*["']?"#;

/// Secrets that are known by themselves.
const SHAPES: [&str; 11] = [
    // RFC 6750 and RFC 7617
    r"(?i:bearer)\s+[\w.~+/=-]{8,}",
    r#"(?i:authorization["']?\s*[:=]\s*["']?basic)\s+[\w+/=-]{4,}"#,
    // RFC 7519: a JSON object in base64 begins like this
    r"eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",
    // GitHub, GitLab, Slack
    r"gh[pousr]_[A-Za-z0-9]{20,}",
    r"github_pat_\w{20,}",
    r"glpat-[\w-]{16,}",
    r"xox[abeoprs]-[\w-]{8,}",
    // AWS, Google, and the many that follow Stripe
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"AIza[\w-]{30,}",
    r"[sr]k[_-](?:live|test|proj|ant)?[\w-]{16,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
];

#[derive(Debug)]
pub(super) struct TokenFinder {
    all: Regex,
    named: Regex,
}

impl TokenFinder {
    pub(super) fn new() -> Self {
        let named = format!(r#"{NAMED}[^\s"'&,;]{{4,}}"#);
        let all = format!("{}|{named}", SHAPES.join("|"));
        let compiled = |text: &str| compile(text, false).expect("it is a constant, and a test compiles it");
        Self { all: compiled(&all), named: compiled(&format!("^{NAMED}")) }
    }

    /// Whether a text of this length with these contents can hold one.
    #[inline]
    pub(super) fn may_find(contents: Contents, length: usize) -> bool {
        // `pwd=1234`; `xoxb-12345678`; `AKIA` and 16 more.
        (length >= 8 && contents.have_any(EQUALS | COLON))
            || (length >= 13 && contents.have_any(SPACE | JOINER | DOT))
            || (length >= 20 && contents.have(CAPITAL_A))
    }

    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let hit = self.all.find_at(text, from)?.range();
        let name = self.named.find(&text[hit.clone()]).map_or(0, |name| name.end());
        Some(hit.start + name..hit.end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;
    use crate::config::Detector;

    #[test]
    fn secrets_are_hidden_and_their_names_stay() {
        for (text, expected) in [
            ("Authorization: Bearer abcdef.123456", "Authorization: ***"),
            ("authorization: basic dXNlcjpwYXNz", "***"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig x", "jwt *** x"),
            ("ghp_0123456789abcdefABCDEF0123 x", "*** x"),
            ("AKIAIOSFODNN7EXAMPLE", "***"),
            ("sk-proj-0123456789abcdef", "***"),
            ("xoxb-123456789012-abc", "***"),
            (r#"{"api_key": "k-123456", "a": 1}"#, r#"{"api_key": "***", "a": 1}"#),
            ("GET /?access_token=abcd1234&x=1", "GET /?access_token=***&x=1"),
            ("password=hunter2 user=x", "password=*** user=x"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x", "*** x"),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIE and cut", "***"),
            ("the password was wrong", "the password was wrong"),
            ("a risk-free task", "a risk-free task"),
        ] {
            assert_eq!(hidden(&[Detector::Token], &[], text), expected, "{text}");
        }
    }
}
