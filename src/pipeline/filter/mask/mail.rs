//! Mail addresses: `local@domain`, also with the `%40` of a URL.
//!
//! Of the characters that [RFC 5322](https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1) allows in front, only those
//! count that providers give out, so that of `/search?mail=a@example.com` the path stays.

use std::ops::Range;

use memchr::memchr2_iter;

pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    for at in memchr2_iter(b'@', b'%', &text[from..]) {
        let at = from + at;
        let separator = match &text[at..] {
            [b'@', ..] => 1,
            [b'%', b'4', b'0', ..] => 3,
            _ => continue,
        };
        let domain = &text[at + separator..];
        let length = domain.iter().take_while(|byte| is_domain(**byte)).count();
        // A dot or a hyphen at the end belongs to the sentence.
        let length =
            domain[..length].iter().rposition(|byte| !b".-".contains(byte)).map_or(0, |last| last + 1);
        let has_dot = domain[..length].iter().position(|byte| *byte == b'.').is_some_and(|dot| dot > 0);
        if !has_dot {
            continue;
        }
        let local = text[from..at].iter().rev().take_while(|byte| is_local(**byte)).count();
        if local > 0 {
            return Some(at - local..at + separator + length);
        }
    }
    None
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._%+'-".contains(&byte) || !byte.is_ascii()
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte) || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;
    use crate::config::Detector;

    #[test]
    fn addresses_are_hidden_and_what_stands_around_them_stays() {
        for (text, expected) in [
            ("a@example.com", "***"),
            ("from <first.last+tag@mail.example.co.jp>.", "from <***>."),
            ("write to a@example.com. Thanks", "write to ***. Thanks"),
            ("GET /search?mail=a@example.com&page=2", "GET /search?mail=***&page=2"),
            ("mail=a%40example.com&x=1", "mail=***&x=1"),
            ("a@b.cd,c@d.ef;g", "***,***;g"),
            ("飛脚@例え.jp", "***"),
            ("a@b@c.de", "a@***"),
            ("user@localhost", "user@localhost"),
            ("@example.com a@ @ 5% a@.b", "@example.com a@ @ 5% a@.b"),
        ] {
            assert_eq!(hidden(&[Detector::Mail], &[], text), expected, "{text}");
        }
    }
}
