//! IP addresses.

use std::net::Ipv6Addr;
use std::ops::Range;

use memchr::memchr;

/// Bytes of the longest IPv6 address, with the IPv4 address that may end it.
const MAX_IPV6: usize = 45;

/// Bytes of `::1`. Two colons alone stand in many languages, and say nothing about anybody.
pub(super) const SHORTEST_IPV6: usize = 3;

/// Four numbers up to 255 with dots between them, not part of a longer row of numbers.
pub(super) fn find_ipv4(text: &[u8], from: usize) -> Option<Range<usize>> {
    // Nothing without a dot; and each address is found from its first one.
    let mut searched = from;
    while let Some(dot) = memchr(b'.', &text[searched..]) {
        let dot = searched + dot;
        let first = text[from..dot].iter().rev().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let start = dot - first;
        let continues_a_row =
            start >= 2 && text[start - 1] == b'.' && text[start - 2].is_ascii_digit() && start > from;
        if first > 0
            && !continues_a_row
            && let Some(end) = ipv4_at(text, start)
        {
            return Some(start..end);
        }
        searched = dot + 1;
    }
    None
}

fn ipv4_at(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    for part in 0..4 {
        if part > 0 {
            if text.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let digits = text[at..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        let number =
            text[at..at + digits].iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
        if digits == 0 || digits > 3 || number > 255 {
            return None;
        }
        at += digits;
    }
    let longer = text.get(at) == Some(&b'.') && text.get(at + 1).is_some_and(u8::is_ascii_digit);
    (!longer).then_some(at)
}

/// What [RFC 4291](https://www.rfc-editor.org/rfc/rfc4291#section-2.2) writes as an address.
pub(super) fn find_ipv6(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut searched = from;
    while let Some(colon) = memchr(b':', &text[searched..]) {
        let colon = searched + colon;
        let before =
            text[searched..colon].iter().rev().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let start = colon - before.min(4);
        let length = text[start..].iter().take_while(|byte| is_ipv6(**byte)).count();
        if length > MAX_IPV6 + 2 {
            // No address is that long, and no part of a longer row is looked at again.
            searched = start + length;
            continue;
        }
        let stands_alone =
            |at: usize| !text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let begins = before <= 4 && (start == 0 || start == from || stands_alone(start - 1));
        // A dot or a colon behind it belongs to the sentence.
        for end in [start + length, start + length - 1].into_iter().filter(|end| begins && stands_alone(*end))
        {
            let candidate = std::str::from_utf8(&text[start..end]);
            if end >= start + SHORTEST_IPV6
                && candidate.is_ok_and(|candidate| candidate.parse::<Ipv6Addr>().is_ok())
            {
                return Some(start..end);
            }
        }
        searched = colon + 1;
    }
    None
}

fn is_ipv6(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;
    use crate::config::Detector;

    #[test]
    fn addresses_of_four_numbers_are_hidden() {
        for (text, expected) in [
            ("192.0.2.1", "***"),
            ("client: 192.0.2.1, server: 198.51.100.255.", "client: ***, server: ***."),
            ("ip192.0.2.1:8080", "ip***:8080"),
            ("host.192.0.2.1", "host.***"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("256.1.1.1 1.2.3 1..2.3 1234.1.1.1 1.1.1.1234", "256.1.1.1 1.2.3 1..2.3 1234.1.1.1 1.1.1.1234"),
            ("192.0.2.1,192.0.2.2", "***,***"),
        ] {
            assert_eq!(hidden(&[Detector::Ipv4], &[], text), expected, "{text}");
        }
    }

    #[test]
    fn addresses_with_colons_are_hidden() {
        for (text, expected) in [
            ("2001:db8::1", "***"),
            ("[2001:db8::1]:443", "[***]:443"),
            ("::1 and fe80::1%eth0", "*** and ***%eth0"),
            ("from 2001:db8:0:0:0:0:0:1.", "from ***."),
            ("::ffff:192.0.2.1", "***"),
            ("addr:2001:db8::1", "addr:***"),
            ("std::vec::Vec Foo::a ::", "std::vec::Vec Foo::a ::"),
            ("10:00:00 aa:bb:cc:dd:ee:ff a:b", "10:00:00 aa:bb:cc:dd:ee:ff a:b"),
        ] {
            assert_eq!(hidden(&[Detector::Ipv6], &[], text), expected, "{text}");
        }
    }

    #[test]
    fn long_rows_take_linear_time() {
        let text = "12345:".repeat(50_000);
        assert_eq!(hidden(&[Detector::Ipv6], &[], &text).len(), text.len());
        let text = ":".repeat(200_000);
        assert_eq!(hidden(&[Detector::Ipv6], &[], &text).len(), text.len());
        let text = "1.".repeat(200_000);
        assert_eq!(hidden(&[Detector::Ipv4], &[], &text).len(), text.len());
    }
}
