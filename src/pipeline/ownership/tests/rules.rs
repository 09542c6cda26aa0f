//! Who may write what.

use serde_json::json;

use super::super::{KnownSenders, MAX_REMEMBERED_SENDER, MAX_REMEMBERED_SENDERS, Ownership};
use super::{ALLOW, World, customer, record};
use crate::event_time::EventTime;
use crate::pipeline::Source;

#[test]
fn a_sender_writes_its_own_and_nothing_else() {
    let world = World::new(ALLOW, "");
    assert_eq!(world.one(&customer("acme")).0, "/logs/acme/x.log");
    let (path, event) = world.one(&customer("globex"));
    assert_eq!(path, "/invalid/x.log");
    assert_eq!(
        event,
        json!({
            "customer": "globex",
            "invalid_reason": "this sender may not write this value of customer",
            "invalid_sender": "CN=engine-1;DNS:acme",
        })
    );
    assert_eq!(world.reason(&customer("globex")), Some("not_allowed"));
    assert_eq!(world.reason(&record(&[("x", "y")])), Some("missing"));
    assert_eq!(world.reason(&customer("")), Some("missing"));
    assert_eq!(world.reason(b"\x81\xa8customer\xc0"), Some("missing"));
}

#[test]
fn an_input_without_rules_binds_nobody() {
    let world = World::new(ALLOW, "");
    let (taken, _) = world.pass("free", &[b"\x92\x01", &customer("globex")[..]].concat());
    assert_eq!(taken[0].path, "/logs/globex/x.log");
}

#[test]
fn rows_about_a_sender_add_up_and_all_bound_fields_must_fit() {
    let world = World::new(
        "owners = { \"DNS:acme\" = { customer = [\"acme\", \"acme-lab\"] }, \"DNS:ac*\" = { customer = \"shared\", host = [\"a\", \"b\"] }, \
         \"DNS:globex\" = { customer = \"globex\" } }",
        "",
    );
    for name in ["acme", "acme-lab", "shared"] {
        assert_eq!(world.reason(&record(&[("customer", name), ("host", "b")])), None);
    }
    assert_eq!(world.reason(&record(&[("customer", "globex"), ("host", "b")])), Some("not_allowed"));
    assert_eq!(world.reason(&record(&[("customer", "acme"), ("host", "c")])), Some("not_allowed"));
    assert_eq!(world.reason(&customer("acme")), Some("missing"));
    let stranger = World { names: vec!["DNS:initech"], ..world };
    assert_eq!(stranger.reason(&record(&[("customer", "acme"), ("host", "b")])), Some("unknown_sender"));
}

#[test]
fn users_are_bound_as_certificates_are() {
    let world =
        World { user: Some("acme"), names: vec![], ..World::new("allow = { customer = \"{@user}\" }", "") };
    assert_eq!(world.reason(&customer("acme")), None);
    assert_eq!(world.reason(&customer("globex")), Some("not_allowed"));
    // Without the attribute nothing fits, not even nothing.
    let nobody = World { user: None, ..world };
    assert_eq!(nobody.reason(&customer("acme")), Some("not_allowed"));
    assert_eq!(nobody.reason(&customer("")), Some("missing"));
}

#[test]
fn numbers_fit_by_their_digits_and_nothing_else_does() {
    let world = World::new("allow = { customer = [\"42\", \"-7\", \"true\", \"1.5\"] }", "");
    let with = |value: &[u8]| world.reason(&[b"\x81\xa8customer", value].concat());
    for value in [&b"\x2a"[..], b"\xcd\x00\x2a", b"\xd3\0\0\0\0\0\0\0\x2a", b"\xf9", b"\xa242", b"\xc4\x0242"]
    {
        assert_eq!(with(value), None, "{value:x?}");
    }
    for value in [
        &b"\x2b"[..],
        b"\xd4\x01\x2a",
        b"\xc3",
        b"\xcb\x3f\xf8\0\0\0\0\0\0",
        b"\x91\x2a",
        b"\x80",
        b"\xa342\0",
    ] {
        assert_eq!(with(value), Some("not_allowed"), "{value:x?}");
    }
}

#[test]
fn no_more_senders_are_remembered_than_the_limit_and_none_of_a_longer_name() {
    let world = World::new(ALLOW, "");
    let ownership = Ownership::new(&world.config.inputs, std::iter::empty());
    let mut known = KnownSenders::default();
    let mut meet = |subject: &str| {
        let time = EventTime::from_unix_nanoseconds(0);
        let source = Source { input: "edge", subject: Some(subject), ..Source::of_engine(b"app", time) };
        known.claims(&ownership, &source).unwrap();
        (known.key.len(), known.claims.len())
    };
    let (without_name, _) = meet("");
    for number in 1..MAX_REMEMBERED_SENDERS {
        meet(&format!("CN={number}"));
    }
    assert_eq!(meet("").1, MAX_REMEMBERED_SENDERS);
    assert_eq!(meet("CN=one more").1, 1);
    let longest = MAX_REMEMBERED_SENDER - without_name;
    assert_eq!(meet(&"x".repeat(longest)), (MAX_REMEMBERED_SENDER, 2));
    assert_eq!(meet(&"x".repeat(longest + 1)), (MAX_REMEMBERED_SENDER + 1, 2));
}
