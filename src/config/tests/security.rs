//! `security` of an input: shared keys, users and clients.

use super::*;

#[test]
fn security_is_complete_and_its_secrets_are_not_shown() {
    let text = with_input(
        "security = { shared_key = \"sekrit\", users = { engine = \"pa55\" }, allow_anonymous_source = false, clients = [\n\
         { network = \"10.1.2.3/16\", shared_key = \"own\", users = [\"engine\"] }, { network = \"2001:db8::1\" }] }",
    );
    let config = parse(&text).unwrap();
    let security = config.inputs[0].security.as_ref().unwrap();
    assert_eq!(security.self_hostname, config.server.name);
    assert!(security.keepalive && !security.allow_anonymous_source);
    let client =
        |address: &str| security.client(address.parse().unwrap()).map(|client| client.network.to_string());
    assert_eq!(client("::ffff:10.1.200.1").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(client("2001:db8::1").as_deref(), Some("2001:db8::1/128"));
    assert_eq!(client("10.2.0.1"), None);
    let shown = format!("{config:?}");
    assert!(!["sekrit", "pa55", "\"own\""].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn security_that_lets_nobody_in_is_refused() {
    assert_refused(
        |keys| with_input(&format!("security = {{ shared_key = \"k\", {keys} }}")),
        &[
            ("allow_anonymous_source = false", "nobody could send"),
            ("clients = [{ network = \"10.0.0.0/33\" }]", "a network such as"),
            ("clients = [{ network = \"10.0.0.1\", users = [\"x\"] }]", "no such user"),
        ],
    );
    assert_problem(&with_input("security = {}"), "needs `shared_key`");
}
