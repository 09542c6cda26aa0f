//! Filters before and behind the check.

use super::{ALLOW, World, customer, record};

#[test]
fn filters_turn_no_foreign_name_into_one_that_fits() {
    for filter in [
        "type = \"sanitize\"\nfields = [\"customer\"]\ncharacters = \"a-z\"\nreplacement = \"\"",
        "type = \"set\"\nfields = { customer = \"acme\" }",
        "type = \"set\"\nfields = { customer = \"{@san_dns[0]}\" }",
        "type = \"remove\"\nfields = [\"customer\"]",
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        assert_eq!(world.reason(&customer("acme!")), Some("not_allowed"), "{filter}");
        assert_eq!(world.reason(&customer("globex")), Some("not_allowed"), "{filter}");
    }
}

#[test]
fn what_filters_bring_from_elsewhere_in_the_event_is_the_senders_word() {
    for (filter, smuggled) in [
        ("type = \"set\"\nfields = { customer = \"{x}\" }", "globex"),
        ("type = \"set\"\nfields = { customer = \"{tag[0]}\" }", "globex"),
        ("type = \"set\"\nfields = { customer = \"{@source_hostname}\" }", "globex"),
        ("type = \"default\"\nfields = { customer = \"glob{x}\" }", "ex"),
        ("type = \"rename\"\nfields = { x = \"customer\" }", "globex"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"json\"", "{\"customer\":\"globex\"}"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"regex\"\nregex = \"(?<customer>.*)\"", "globex"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"ltsv\"", "customer:globex"),
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        let own = smuggled.replace("globex", "acme");
        let with = |smuggled: &str| {
            let mut fields = vec![("x", smuggled)];
            if !filter.contains("default") {
                fields.push(("customer", "acme"));
            }
            world.one(&record(&fields)).0
        };
        assert_eq!(with(smuggled), "/invalid/x.log", "{filter}");
        if own != smuggled && !filter.contains("tag") && !filter.contains("hostname") {
            assert_eq!(with(&own), "/logs/acme/x.log", "{filter}");
        }
    }
}

#[test]
fn a_key_that_a_filter_makes_a_second_one_of_fits_nobody() {
    let world = World::new(
        ALLOW,
        "[[filter]]\ntype = \"sanitize\"\nkeys = true\ncharacters = \"a-z\"\nreplacement = \"\"",
    );
    for hidden in ["cust-omer", "customer\0", "CcustomerC"] {
        for fields in [[("customer", "acme"), (hidden, "globex")], [(hidden, "globex"), ("customer", "acme")]]
        {
            assert_eq!(world.one(&record(&fields)).0, "/invalid/x.log", "{fields:?}");
        }
        assert_eq!(world.reason(&record(&[(hidden, "globex")])), Some("not_allowed"));
    }
    assert_eq!(world.one(&record(&[("customer", "acme"), ("X", "y")])).0, "/logs/acme/x.log");
}

#[test]
fn what_is_missing_may_be_filled_on_the_operators_word() {
    for filter in [
        "type = \"set\"\nfields = { customer = \"{@san_dns[0]}\" }",
        "type = \"default\"\nfields = { customer = \"globex\" }",
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        assert_eq!(world.reason(&record(&[("x", "y")])), None, "{filter}");
        assert_eq!(world.reason(&customer("")), None, "{filter}");
    }
}

#[test]
fn what_filters_make_of_a_value_that_fitted_is_left_alone() {
    let world = World::new(
        "allow = { customer = \"acme.ltd\" }",
        "[[filter]]\ntype = \"sanitize\"\nfields = [\"customer\"]\ncharacters = \"a-z_\"\n\
         [[filter]]\ntype = \"parse\"\nfield = \"x\"\nformat = \"json\"",
    );
    assert_eq!(world.one(&record(&[("customer", "acme.ltd"), ("x", "{\"y\":1}")])).0, "/logs/acme_ltd/x.log");
    // What is brought has to be what was allowed, not what became of it.
    let brought = record(&[("customer", "acme.ltd"), ("x", "{\"customer\":\"globex\"}")]);
    assert_eq!(world.reason(&brought), Some("not_allowed"));
    let removed = World::new(ALLOW, "[[filter]]\ntype = \"remove\"\nfields = [\"customer\"]");
    assert_eq!(removed.one(&customer("acme")).0, "/logs/unknown/x.log");
}

#[test]
fn disowned_events_go_through_the_filters_and_keep_their_reason() {
    let world = World::new(
        ALLOW,
        "[[filter]]\ntype = \"mask\"\nfields = [\"card\"]\n[[filter]]\ntype = \"keep\"\nfields = [\"card\"]\n\
         [[filter]]\ntype = \"retag\"\ntag = \"new\"",
    );
    let (path, event) = world.one(&record(&[
        ("customer", "globex"),
        ("card", "4111"),
        ("invalid_sender", "CN=somebody else"),
    ]));
    assert_eq!(path, "/invalid/x.log");
    assert_eq!(event["invalid_reason"], "this sender may not write this value of customer");
    assert_ne!(event["card"], "4111");
}

#[test]
fn foreign_lines_join_no_message_that_fits() {
    let world = World::new(ALLOW, "[[filter]]\ntype = \"multiline\"\nfield = \"m\"\nstart = \"^A\"");
    let entry =
        |name: &str, line: &str| [b"\x92\x01", &record(&[("customer", name), ("m", line)])[..]].concat();
    let entries =
        [entry("acme", "A1"), entry("globex", " x"), entry("acme", " 2"), entry("globex", " y")].concat();
    let (taken, tally) = world.pass("edge", &entries);
    let lines = |output: &str| -> Vec<_> {
        taken.iter().filter(|event| event.output == output).map(|event| event.record["m"].clone()).collect()
    };
    assert_eq!(lines("archive"), ["A1\n 2"]);
    assert_eq!(lines("invalid"), [" x\n y"]);
    assert_eq!(tally.disowned.iter().map(|(_, count)| count).sum::<u64>(), 1);
    // Lines that make up a foreign name together.
    let world = World::new(
        "allow = { customer = [\"glo\", \"bex\"] }",
        "[[filter]]\ntype = \"multiline\"\nfield = \"customer\"\nseparator = \"\"\nstart = \"^glo\"",
    );
    let entries =
        [[b"\x92\x01", &customer("glo")[..]].concat(), [b"\x92\x01", &customer("bex")[..]].concat()].concat();
    let (taken, _) = world.pass("edge", &entries);
    assert_eq!(taken.iter().map(|event| event.path.as_str()).collect::<Vec<_>>(), ["/invalid/x.log"]);
}

#[test]
fn metadata_that_becomes_the_field_is_the_senders_word() {
    let world = World::new(&format!("{ALLOW}\nmetadata_field = \"customer\""), "");
    // `[[1, {"x": 1}], {"customer": "acme"}]`
    let (taken, tally) = world.pass("edge", b"\x92\x92\x01\x81\xa1x\x01\x81\xa8customer\xa4acme");
    assert_eq!(taken[0].output, "invalid");
    assert!(!tally.disowned.is_empty());
}
