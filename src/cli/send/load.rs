//! Events made up for the load mode: web application firewall logs of about 700 bytes.

use crate::event_time::EventTime;
use crate::wire::msgpack::{write_array, write_map, write_str, write_u64};
use crate::wire::time::write_time;

/// What the made-up events look like.
#[derive(Debug, Clone)]
pub(super) struct LoadEvents {
    /// Spread over this many customers, each with one host.
    pub(super) customers: u64,
    /// Tells this run from others.
    pub(super) run: String,
}

const AGENT: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const STATUS: [u64; 5] = [200, 200, 304, 403, 500];
const RULES: [&str; 4] = ["sql-injection", "cross-site-scripting", "path-traversal", "none"];

impl LoadEvents {
    /// Appends one entry. `number` counts the events of a run from 0.
    pub(super) fn write(&self, out: &mut Vec<u8>, time: EventTime, number: u64) {
        // Spread so that neighbours differ, and the same for the same number.
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let customer = random % self.customers;
        let pick = |choices: &[&'static str], shift: u32| choices[(random >> shift) as usize % choices.len()];

        write_array(out, 2);
        write_time(out, time);
        write_map(out, 15);
        let mut text = |key: &str, value: &str| {
            write_str(out, key.as_bytes());
            write_str(out, value.as_bytes());
        };
        text("customer_name", &format!("customer-{customer}"));
        text("fqdn", &format!("www{customer}.example.com"));
        text("log_type", "nginx");
        text("hostname", "engine-1");
        text("run", &self.run);
        text("remote_addr", &format!("198.51.100.{}", random >> 8 & 0xff));
        let request = format!(
            "{} /catalogue/items/{}?session={random:016x}&page={} HTTP/1.1",
            pick(&METHODS, 16),
            random >> 24 & 0xffff,
            random >> 40 & 0x3f
        );
        text("request", &request);
        text(
            "http_referer",
            &format!("https://www{customer}.example.com/catalogue/search?q={:08x}", random >> 12),
        );
        text("http_user_agent", AGENT);
        text("rule_name", pick(&RULES, 20));
        text("request_id", &format!("{:016x}{random:016x}", number ^ 0x5555_5555));
        text(
            "message",
            "request passed through the engine and its rules, was answered by the upstream server and came back in time; nothing was kept of its body",
        );
        let mut integer = |key: &str, value: u64| {
            write_str(out, key.as_bytes());
            write_u64(out, value);
        };
        integer("status", STATUS[(random >> 32) as usize % STATUS.len()]);
        integer("body_bytes_sent", random >> 44);
        integer("number", number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::entry::{Entries, Item};

    #[test]
    fn events_are_whole_and_of_the_size_of_real_ones() {
        let events = LoadEvents { customers: 60, run: "run".into() };
        let mut out = Vec::new();
        for number in 0..1_000 {
            events.write(&mut out, EventTime::new(1_760_000_000, 0).unwrap(), number);
        }
        assert_eq!(Entries::new(&out).filter(|entry| matches!(entry, Ok(Item::Event(_)))).count(), 1_000);
        let average = out.len() / 1_000;
        assert!((600..800).contains(&average), "{average} bytes");
    }
}
