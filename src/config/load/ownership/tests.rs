use crate::config::Config;

/// A configuration with these lines in its input and these outputs; the messages of its mistakes.
fn mistakes(input: &str, outputs: &str) -> Vec<String> {
    let text = format!(
        "[[input]]\nid = \"edge\"\ntype = \"forward\"\n{input}\n[[output]]\nid = \"archive\"\ntype = \"file\"\n\
         match = \"**\"\npath = \"/a/{{customer}}/x.log\"\n{outputs}"
    );
    match Config::parse(&text, None, &|_| None) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.to_string().lines().map(str::to_owned).collect(),
    }
}

const INVALID: &str =
    "[[output]]\nid = \"invalid\"\ntype = \"file\"\ninvalid = true\npath = \"/i/{@sender}/x.log\"\n";
const TLS: &str = "listen = \"127.0.0.1:0\"\ntls = { cert = \"c\", key = \"k\", client_ca = \"a\" }\n";
const PLAIN: &str = "listen = \"127.0.0.1:0\"\n";
const KEY: &str = "listen = \"127.0.0.1:0\"\nsecurity = { shared_key = \"k\" }\n";
const USERS: &str = "listen = \"127.0.0.1:0\"\nsecurity = { shared_key = \"k\", users = { acme = \"p\" } }\n";
const UNIX: &str = "listen = \"unix:/run/x.sock\"\n";

fn finds(input: &str, keys: &str, outputs: &str, part: &str) {
    let mistakes = mistakes(&format!("{input}{keys}"), outputs);
    assert!(mistakes.iter().any(|line| line.contains(part)), "{part}: {mistakes:#?}");
}

#[test]
fn what_the_inputs_senders_can_prove_is_taken() {
    for (input, keys) in [
        (TLS, "allow = { customer = [\"{@san_dns[0]}\", \"{@subject}\", \"lab-{@fingerprint}\"] }"),
        (TLS, "allow = { customer = \"{@san_uri[0]}\", \"a.b\" = \"x\" }"),
        (TLS, "owners = { \"DNS:*.acme.example\" = { customer = [\"acme\"] } }"),
        (USERS, "allow = { customer = \"{@user}\" }\nowners = { \"user:acme\" = { customer = [\"acme\"] } }"),
        (PLAIN, "owners = { \"address:10.0.0.0/8\" = { customer = \"acme\" } }"),
        (UNIX, "owners = { \"uid:1000\" = { customer = \"{@input}\" } }"),
    ] {
        assert_eq!(mistakes(&format!("{input}{keys}"), INVALID), Vec::<String>::new(), "{keys}");
    }
}

#[test]
fn what_can_not_exist_at_the_input_is_found() {
    for input in [PLAIN, KEY, UNIX] {
        finds(input, "allow = { customer = \"{@san_dns[0]}\" }", INVALID, "has no `client_ca`");
        finds(input, "allow = { customer = \"x{@user}\" }", INVALID, "has no `users`");
        finds(input, "owners = { \"DNS:acme\" = { customer = \"x\" } }", INVALID, "fits nobody");
        finds(input, "owners = { \"user:acme\" = { customer = \"x\" } }", INVALID, "fits nobody");
    }
    finds(UNIX, "allow = { customer = \"{@source_address}\" }", INVALID, "have no address");
    finds(TLS, "owners = { \"uid:0\" = { customer = \"x\" } }", INVALID, "listens on a port");
}

#[test]
fn mistakes_are_found_where_they_stand() {
    for (keys, part) in [
        ("allow = { customer = [\"{other}\"] }", "{@san_dns[0]}"),
        ("allow = { customer = [] }", "the list is empty"),
        ("allow = { customer = 7 }", "text or a list of texts"),
        ("allow = {}", "at least one field"),
        ("owners = {}", "nobody could write"),
        ("allow = { \"a..b\" = \"x\" }", "empty key"),
        ("owners = { acme = { customer = \"x\" } }", "`DNS:`"),
        ("owners = { \"DNS:acme\" = \"x\" }", "expected"),
    ] {
        finds(TLS, keys, INVALID, part);
    }
}

#[test]
fn what_does_not_fit_needs_a_place_that_no_sender_chooses() {
    let keys = "allow = { customer = \"{@san_dns[0]}\" }";
    finds(TLS, keys, "", "add an output with `invalid = true`");
    finds(TLS, keys, &INVALID.replace("@sender", "customer"), "folder of their choice");
    finds(TLS, keys, &INVALID.replace("@sender", r"\\customer"), "folder of their choice");
}

#[test]
fn values_that_share_a_folder_are_found() {
    let owners = |one: &str, other: &str| {
        format!(
            "owners = {{ \"DNS:a\" = {{ customer = \"{one}\" }}, \"DNS:b\" = {{ customer = \"{other}\" }} }}"
        )
    };
    finds(
        TLS,
        &owners("acme ltd", "acme_ltd"),
        INVALID,
        "\"acme ltd\" and \"acme_ltd\" would share a folder",
    );
    finds(TLS, &owners("飛脚", "大名"), INVALID, "would share a folder");
    for (one, other) in [("acme", "acme"), ("acme", "ACME"), ("acme.a", "acme_a")] {
        assert_eq!(mistakes(&format!("{TLS}{}", owners(one, other)), INVALID), Vec::<String>::new());
    }
}
