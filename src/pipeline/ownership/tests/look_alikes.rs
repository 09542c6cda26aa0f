//! Values that pretend to be others.

use proptest::prelude::*;

use super::{ALLOW, World, customer, record};
use crate::wire::msgpack::{write_bin, write_str};

/// Values that look, print, sort or end in a path like others.
fn look_alikes() -> Vec<Vec<u8>> {
    let texts = [
        "acme/",
        "/acme",
        "acme ",
        " acme",
        "ACME",
        "Acme",
        "acme\0",
        "acme\n",
        "acme.",
        ".acme",
        "acm\u{435}",
        "\u{ff41}cme",
        "acme\u{200b}",
        "acme\u{301}",
        "\u{202e}acme",
        "../acme",
        "acme/../globex",
        "globex",
        "globex/",
        "./globex",
        "x/../globex",
        "acme,globex",
        "acm",
        "acmee",
        "unknown",
        "_",
        "~",
    ];
    let mut values: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    values.extend([b"acme\xff".to_vec(), b"\xffacme".to_vec(), b"a\xc1\xa3me".to_vec(), vec![b'a'; 1 << 20]]);
    values.push("acme".encode_utf16().flat_map(u16::to_be_bytes).collect());
    values
}

const PATHS: [&str; 6] = [
    "/logs/{customer}/x.log",
    "/logs/{customer}.log.gz",
    "/logs/a-{customer}-{tag[1]}/%Y/%m/%d/%H.log",
    "/logs/{tag}/{customer}/{host}/{customer}.log",
    "/logs/{@san_dns[0]}/{customer}/{missing}/x.log.gz",
    "logs/{customer}/{a.b}/%H.log",
];

#[test]
fn no_look_alike_gets_into_any_folder() {
    for path in PATHS {
        let world = World::writing(path, ALLOW, "");
        let own = world.one(&customer("acme")).0;
        assert!(own.contains("acme") && own.contains("logs"), "{own}");
        for value in look_alikes() {
            for is_text in [true, false] {
                let mut event = b"\x81\xa8customer".to_vec();
                if is_text {
                    write_str(&mut event, &value)
                } else {
                    write_bin(&mut event, &value)
                }
                let (path, _) = world.one(&event);
                assert_eq!(path, "/invalid/x.log", "{:?}", String::from_utf8_lossy(&value));
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_lies_in_the_senders_folder_or_with_the_invalid(
        fields in proptest::collection::vec(
            (
                prop_oneof![
                    Just("customer".to_owned()), Just("custome\0r".to_owned()), Just("x".to_owned()), Just("a".to_owned()),
                    "[a-c]{1,3}"
                ],
                prop_oneof![
                    Just("acme".to_owned()), Just("globex".to_owned()), Just("{\"customer\":\"globex\"}".to_owned()),
                    Just("{\"customer\":\"acme\"}".to_owned()), ".{0,8}"
                ],
            ),
            0..6,
        ),
        filters in proptest::collection::vec(
            prop_oneof![
                Just("type = \"parse\"\nfield = \"x\"\nformat = \"json\""),
                Just("type = \"rename\"\nfields = { a = \"customer\" }"),
                Just("type = \"rename\"\nfields = { customer = \"a\" }"),
                Just("type = \"set\"\nfields = { customer = \"{a}\" }"),
                Just("type = \"default\"\nfields = { customer = \"{x}\" }"),
                Just("type = \"sanitize\"\nkeys = true\nreplacement = \"\""),
                Just("type = \"remove\"\nfields = [\"customer\"]"),
                Just("type = \"keep\"\nfields = [\"customer\", \"x\"]"),
                Just("type = \"multiline\"\nfield = \"customer\"\nseparator = \"\"\nstart = \"^acme\""),
                Just("type = \"retag\"\ntag = \"{customer}\""),
            ],
            0..4,
        ),
    ) {
        let filters: String = filters.iter().map(|filter| format!("[[filter]]\n{filter}\n")).collect();
        let world = World::new(ALLOW, &filters);
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let entry = [b"\x92\x01", &record(&fields)[..]].concat();
        let (taken, tally) = world.pass("edge", &entry.repeat(2));
        for event in &taken {
            let its_own = ["/logs/acme/x.log", "/logs/unknown/x.log"].contains(&event.path.as_str());
            prop_assert!(its_own || event.output == "invalid", "{event:?}");
            // A line that a reader could take for another customer's.
            let claimed = &event.record["customer"];
            prop_assert!(event.output == "invalid" || claimed == "acme" || claimed.is_null() || claimed == "", "{event:?}");
        }
        let invalid = taken.iter().filter(|event| event.output == "invalid").count() as u64;
        prop_assert_eq!(tally.disowned.iter().map(|(_, count)| count).sum::<u64>(), invalid);
    }
}
