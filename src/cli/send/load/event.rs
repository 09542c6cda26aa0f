//! Events made up for the load mode: web application firewall logs of about 700 bytes.

use super::digits::{decimal, hexadecimal};
use crate::event_time::EventTime;
use crate::wire::msgpack::{write_array, write_map, write_str, write_str_head};
use crate::wire::time::write_time;

/// What all events have in common, and where they differ. All of them have the same length, so that memory that held one
/// becomes another where a few of its bytes are written.
#[derive(Debug)]
pub(super) struct Template {
    /// An entry, with zeros where events differ.
    bytes: Vec<u8>,
    places: Places,
    /// Events are spread over this many, each with one host.
    customers: u64,
    /// Digits of the largest number of a customer.
    digits: usize,
    /// Whether there are numbers of events that need more than 4 bytes.
    is_long: bool,
}

/// Where in an event its values begin.
#[derive(Debug)]
struct Places {
    time: usize,
    customers: [usize; 3],
    host: usize,
    target: usize,
    item: usize,
    session: usize,
    page: usize,
    query: usize,
    rule: usize,
    request: usize,
    status: usize,
    body: usize,
    /// The lower half where numbers have 8 bytes.
    number: usize,
}

const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const TARGETS: [&[u8; 21]; 4] =
    [b"GET /catalogue/items/", b"POST /catalog/orders/", b"PUT /catalogue/items/", b"DELETE /basket/items/"];
const STATUS: [u16; 5] = [200, 200, 304, 403, 500];
const RULES: [&[u8; 13]; 4] = [b"dir-traversal", b"open-redirect", b"sql-injection", b"xss-reflected"];
const MESSAGE: &str = "request passed through the engine and its rules, was answered by the upstream server and came back in time; nothing was kept of its body";

/// How integers of 2, 4 and 8 bytes begin. Values have the same length however small they are.
/// [msgpack: int format family](https://github.com/msgpack/msgpack/blob/master/spec.md#int-format-family)
const UINT_16: u8 = 0xcd;
const UINT_32: u8 = 0xce;
const UINT_64: u8 = 0xcf;

impl Template {
    /// Of `count` events, for at least one customer; `run` tells this run from others.
    pub(super) fn new(count: u64, customers: u64, run: &str) -> Self {
        let customers = customers.max(1);
        let digits = (customers - 1).checked_ilog10().unwrap_or_default() as usize + 1;
        let customer = "0".repeat(digits);
        let mut out = Vec::new();
        write_array(&mut out, 2);
        let time = out.len() + 2;
        write_time(&mut out, EventTime::from_unix_nanoseconds(0));
        write_map(&mut out, 15);
        let [_, name] = text(&mut out, "customer_name", ["customer-", &customer]);
        let [_, fqdn, _] = text(&mut out, "fqdn", ["www", &customer, ".example.com"]);
        text(&mut out, "log_type", ["nginx"]);
        text(&mut out, "hostname", ["engine-1"]);
        text(&mut out, "run", [run]);
        let [_, host] = text(&mut out, "remote_addr", ["198.51.100.", "000"]);
        let request = [&"0".repeat(21), "00000", "?session=", &"0".repeat(16), "&page=", "00", " HTTP/1.1"];
        let [target, item, _, session, _, page, _] = text(&mut out, "request", request);
        let referer = ["https://www", &customer, ".example.com/catalogue/search?q=", &"0".repeat(13)];
        let [_, referer, _, query] = text(&mut out, "http_referer", referer);
        text(&mut out, "http_user_agent", [AGENT]);
        let [rule] = text(&mut out, "rule_name", [&"0".repeat(13)]);
        let [request] = text(&mut out, "request_id", [&"0".repeat(32)]);
        text(&mut out, "message", [MESSAGE]);
        let status = integer(&mut out, "status", UINT_16, 2);
        let body = integer(&mut out, "body_bytes_sent", UINT_32, 4);
        let is_long = count > 1 << 32;
        let number = if is_long {
            integer(&mut out, "number", UINT_64, 8) + 4
        } else {
            integer(&mut out, "number", UINT_32, 4)
        };
        let customer_numbers = [name, fqdn, referer];
        let places = Places {
            time,
            customers: customer_numbers,
            host,
            target,
            item,
            session,
            page,
            query,
            rule,
            request,
            status,
            body,
            number,
        };
        Self { bytes: out, places, customers, digits, is_long }
    }

    /// What memory has to hold before it becomes events.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Of every event.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Makes an entry of [`bytes`](Self::bytes), or of another entry. `number` counts the events of a run from 0.
    #[inline]
    pub(super) fn fill(&self, event: &mut [u8], time: [u8; 8], number: u64) {
        // Spread so that neighbours differ, and the same for the same number.
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let part = |shift: u32, bits: u32| (random >> shift) as u32 & ((1 << bits) - 1);
        let at = &self.places;
        let mut customer = random % self.customers;
        for digit in (0..self.digits).rev() {
            for place in at.customers {
                event[place + digit] = b'0' + (customer % 10) as u8;
            }
            customer /= 10;
        }
        let session = hexadecimal(random);
        let [query @ .., _, _, _] = session;
        put(event, at.time, time);
        put(event, at.host, decimal::<3>(100 + part(8, 8) % 156));
        put(event, at.target, *TARGETS[part(16, 2) as usize]);
        put(event, at.item, decimal::<5>(part(24, 16)));
        put(event, at.session, session);
        put(event, at.page, decimal::<2>(part(40, 6)));
        put(event, at.query, query);
        put(event, at.rule, *RULES[part(20, 2) as usize]);
        put(event, at.request, hexadecimal(number ^ 0x5555_5555));
        put(event, at.request + 16, session);
        put(event, at.status, STATUS[(random >> 32) as usize % STATUS.len()].to_be_bytes());
        put(event, at.body, part(44, 20).to_be_bytes());
        put(event, at.number, (number as u32).to_be_bytes());
        if self.is_long {
            put(event, at.number - 4, ((number >> 32) as u32).to_be_bytes());
        }
    }
}

#[inline]
fn put<const N: usize>(event: &mut [u8], place: usize, bytes: [u8; N]) {
    event[place..place + N].copy_from_slice(&bytes);
}

/// A field whose text is put together from parts; where each of them begins.
fn text<const N: usize>(out: &mut Vec<u8>, key: &str, parts: [&str; N]) -> [usize; N] {
    write_str(out, key.as_bytes());
    write_str_head(out, parts.iter().map(|part| part.len()).sum());
    parts.map(|part| {
        let place = out.len();
        out.extend_from_slice(part.as_bytes());
        place
    })
}

/// A field with an integer of so many bytes; where they are.
fn integer(out: &mut Vec<u8>, key: &str, kind: u8, length: usize) -> usize {
    write_str(out, key.as_bytes());
    out.push(kind);
    let place = out.len();
    out.resize(place + length, 0);
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::entry::{Entries, Item};

    fn event(template: &Template, number: u64) -> Vec<u8> {
        let mut event = template.bytes().to_vec();
        template.fill(&mut event, [0; 8], number);
        event
    }

    #[test]
    fn events_are_whole_and_of_the_size_of_real_ones() {
        let template = Template::new(20_000, 60, "run");
        assert!((600..800).contains(&template.length()), "{} bytes", template.length());
        let out: Vec<u8> = (0..1_000).flat_map(|number| event(&template, number)).collect();
        assert_eq!(Entries::new(&out).filter(|entry| matches!(entry, Ok(Item::Event(_)))).count(), 1_000);
    }

    #[test]
    fn the_parts_of_an_event_make_the_fields_that_they_should() {
        let template = Template::new(20_000, 700, "run");
        let entry = event(&template, 12_345);
        let text = String::from_utf8_lossy(&entry);
        let random = 12_345u64.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let customer = random % 700;
        for part in [
            format!("customer-{customer:03}"),
            format!("www{customer:03}.example.com/catalogue/search?q={:013x}", random >> 12),
            format!("/{:05}?session={random:016x}&page={:02}", random >> 24 & 0xffff, random >> 40 & 0x3f),
            format!("{:016x}{random:016x}", 12_345u64 ^ 0x5555_5555),
            format!("198.51.100.{}", 100 + (random >> 8 & 0xff) % 156),
        ] {
            assert!(text.contains(&part), "{part} in {text}");
        }
        let number = [&b"number\xce"[..], &12_345u32.to_be_bytes()].concat();
        assert!(entry.ends_with(&number), "{text}");
    }

    #[test]
    fn numbers_have_8_bytes_where_the_last_of_them_needs_more_than_4() {
        for (count, end) in
            [(1 << 32, &b"number\xce\0\0\0\x07"[..]), ((1 << 32) + 1, b"number\xcf\0\0\0\0\0\0\0\x07")]
        {
            assert!(event(&Template::new(count, 1, "run"), 7).ends_with(end), "{count}");
        }
        assert!(event(&Template::new(u64::MAX, 1, "run"), 1 << 33).ends_with(&(1u64 << 33).to_be_bytes()));
    }

    #[test]
    fn an_event_that_is_written_over_another_is_as_if_it_were_new() {
        let template = Template::new(20_000, 60, "run");
        let mut memory = event(&template, u64::MAX);
        template.fill(&mut memory, [0; 8], 12);
        assert_eq!(memory, event(&template, 12));
    }

    #[test]
    fn customers_have_as_many_digits_as_the_last_of_them() {
        for (customers, digits) in [(0, 1), (1, 1), (10, 1), (11, 2), (100, 2), (101, 3), (u64::MAX, 20)] {
            assert_eq!(Template::new(1, customers, "run").digits, digits, "{customers}");
        }
    }
}
