//! Events made up for the load mode: web application firewall logs of about 700 bytes.

use crate::event_time::EventTime;
use crate::wire::msgpack::{write_array, write_map, write_str_head, write_u64};
use crate::wire::time::write_time;

/// What the made-up events look like.
#[derive(Debug)]
pub(super) struct LoadEvents {
    /// Spread over this many customers, each with one host.
    customers: u64,
    /// Fields that are the same in all events, encoded: from `log_type` to `run`.
    origin: Vec<u8>,
    /// The same, of `http_user_agent`.
    agent: Vec<u8>,
    /// The same, of `message`.
    message: Vec<u8>,
}

/// More bytes than an event has.
const ROOM: usize = 1024;

const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const STATUS: [u64; 5] = [200, 200, 304, 403, 500];
const RULES: [&str; 4] = ["sql-injection", "cross-site-scripting", "path-traversal", "none"];
const MESSAGE: &str = "request passed through the engine and its rules, was answered by the upstream server and came back in time; nothing was kept of its body";

impl LoadEvents {
    /// At least one customer; `run` tells this run from others.
    pub(super) fn new(customers: u64, run: &str) -> Self {
        let [mut origin, mut agent, mut message] = [const { Vec::new() }; 3];
        for (key, value) in [("log_type", "nginx"), ("hostname", "engine-1"), ("run", run)] {
            text(&mut origin, key, &[value.as_bytes()]);
        }
        text(&mut agent, "http_user_agent", &[AGENT.as_bytes()]);
        text(&mut message, "message", &[MESSAGE.as_bytes()]);
        Self { customers: customers.max(1), origin, agent, message }
    }

    /// Appends one entry. `number` counts the events of a run from 0.
    pub(super) fn write(&self, out: &mut Vec<u8>, time: EventTime, number: u64) {
        // Spread so that neighbours differ, and the same for the same number.
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let pick = |choices: &[&'static str], shift: u32| {
            choices[(random >> shift) as usize % choices.len()].as_bytes()
        };
        let (mut customer, mut item, mut page, mut host) = Default::default();
        let customer = decimal(&mut customer, random % self.customers);
        let session = hexadecimal(random);

        out.reserve(ROOM);
        write_array(out, 2);
        write_time(out, time);
        write_map(out, 15);
        text(out, "customer_name", &[b"customer-", customer]);
        text(out, "fqdn", &[b"www", customer, b".example.com"]);
        out.extend_from_slice(&self.origin);
        text(out, "remote_addr", &[b"198.51.100.", decimal(&mut host, random >> 8 & 0xff)]);
        let request = [
            pick(&METHODS, 16),
            b" /catalogue/items/",
            decimal(&mut item, random >> 24 & 0xffff),
            b"?session=",
            &session,
            b"&page=",
            decimal(&mut page, random >> 40 & 0x3f),
            b" HTTP/1.1",
        ];
        text(out, "request", &request);
        let referer = [b"https://www", customer, b".example.com/catalogue/search?q=", &session[..13]];
        text(out, "http_referer", &referer);
        out.extend_from_slice(&self.agent);
        text(out, "rule_name", &[pick(&RULES, 20)]);
        text(out, "request_id", &[&hexadecimal(number ^ 0x5555_5555), &session]);
        out.extend_from_slice(&self.message);
        integer(out, "status", STATUS[(random >> 32) as usize % STATUS.len()]);
        integer(out, "body_bytes_sent", random >> 44);
        integer(out, "number", number);
    }
}

/// A field whose text is put together from parts, without memory of its own. Inlined: key and most parts have lengths that
/// are known then, and are copied without a call each.
#[inline(always)]
fn text(out: &mut Vec<u8>, key: &str, parts: &[&[u8]]) {
    key_of(out, key);
    write_str_head(out, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[inline(always)]
fn integer(out: &mut Vec<u8>, key: &str, value: u64) {
    key_of(out, key);
    write_u64(out, value);
}

/// All keys are short.
#[inline(always)]
fn key_of(out: &mut Vec<u8>, key: &str) {
    debug_assert!(key.len() < 32, "a longer one has another head");
    out.push(0xa0 | key.len() as u8);
    out.extend_from_slice(key.as_bytes());
}

fn decimal(buffer: &mut itoa::Buffer, value: u64) -> &[u8] {
    buffer.format(value).as_bytes()
}

/// All 16 digits.
#[inline]
fn hexadecimal(value: u64) -> [u8; 16] {
    std::array::from_fn(|at| {
        let digit = (value >> (60 - 4 * at)) as u8 & 0xf;
        digit + if digit < 10 { b'0' } else { b'a' - 10 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::entry::{Entries, Item};

    #[test]
    fn events_are_whole_and_of_the_size_of_real_ones() {
        let events = LoadEvents::new(60, "run");
        let mut out = Vec::new();
        for number in 0..1_000 {
            events.write(&mut out, EventTime::new(1_760_000_000, 0).unwrap(), number);
        }
        assert_eq!(Entries::new(&out).filter(|entry| matches!(entry, Ok(Item::Event(_)))).count(), 1_000);
        let average = out.len() / 1_000;
        assert!((600..800).contains(&average), "{average} bytes");
    }
    #[test]
    fn the_parts_of_an_event_make_the_fields_that_they_should() {
        let mut out = Vec::new();
        LoadEvents::new(7, "run").write(&mut out, EventTime::new(1_760_000_000, 0).unwrap(), 12_345);
        let entry = String::from_utf8_lossy(&out);
        let random = 12_345u64.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let customer = random % 7;
        for part in [
            format!("customer-{customer}"),
            format!("www{customer}.example.com/catalogue/search?q={:013x}", random >> 12),
            format!("/catalogue/items/{}?session={random:016x}&page=", random >> 24 & 0xffff),
            format!("{:016x}{random:016x}", 12_345u64 ^ 0x5555_5555),
        ] {
            assert!(entry.contains(&part), "{part} in {entry}");
        }
    }
}
