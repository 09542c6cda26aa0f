//! Bound fields that a record holds in an odd way.

use serde_json::json;

use super::{ALLOW, World, record};
use crate::pipeline::record::MAX_FIELDS;
use crate::wire::msgpack::{write_bin, write_map, write_str, write_u64};

#[test]
fn a_key_that_comes_twice_is_checked_as_it_is_written() {
    let world = World::new(ALLOW, "");
    // The last one counts, for the check, for the path and in the line.
    let twice = |one: &str, other: &str| record(&[("customer", one), ("customer", other)]);
    assert_eq!(world.one(&twice("acme", "globex")).0, "/invalid/x.log");
    assert_eq!(
        world.one(&twice("globex", "acme")),
        ("/logs/acme/x.log".to_owned(), json!({ "customer": "acme" }))
    );
    // Text and bytes are the same key.
    let mut mixed = Vec::new();
    write_map(&mut mixed, 2);
    write_str(&mut mixed, b"customer");
    write_str(&mut mixed, b"acme");
    write_bin(&mut mixed, b"customer");
    write_bin(&mut mixed, b"globex");
    assert_eq!(world.one(&mixed).0, "/invalid/x.log");
}

#[test]
fn a_nested_key_that_comes_twice_fits_nobody() {
    let world = World::writing("/logs/{a.b}/x.log", "allow = { \"a.b\" = \"{@san_dns[0]}\" }", "");
    assert_eq!(world.one(b"\x81\xa1a\x81\xa1b\xa4acme").0, "/logs/acme/x.log");
    assert_eq!(world.reason(b"\x81\xa1a\x82\xa1b\xa4acme\xa1b\xa6globex"), Some("ambiguous"));
    assert_eq!(world.reason(b"\x81\xa1a\x82\xa1b\xa6globex\xa1b\xa4acme"), Some("ambiguous"));
    assert_eq!(world.reason(b"\x81\xa3a.b\xa4acme"), Some("missing"));
    assert_eq!(world.reason(b"\x81\xa1a\xa4acme"), Some("missing"));
}

#[test]
fn a_key_past_the_fields_that_filters_see_fits_nobody() {
    let world = World::new(ALLOW, "");
    let many = |customers: &[(usize, &str)]| {
        let mut record = Vec::new();
        let count = MAX_FIELDS + 2;
        write_map(&mut record, count as u32);
        for number in 0..count {
            match customers.iter().find(|(at, _)| *at == number) {
                Some((_, name)) => {
                    write_str(&mut record, b"customer");
                    write_str(&mut record, name.as_bytes());
                }
                None => {
                    write_str(&mut record, format!("key{number}").as_bytes());
                    write_u64(&mut record, 0);
                }
            }
        }
        record
    };
    assert_eq!(world.reason(&many(&[(0, "acme")])), None);
    assert_eq!(world.reason(&many(&[(MAX_FIELDS + 1, "acme")])), Some("ambiguous"));
    assert_eq!(world.reason(&many(&[(0, "acme"), (MAX_FIELDS + 1, "globex")])), Some("ambiguous"));
}
