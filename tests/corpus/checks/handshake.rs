//! The handshake: whoever does not know the key gets nowhere, on either side.

use hikyaku::wire::handshake::{Access, ClientHandshake, Credentials, ServerHandshake};
use hikyaku::wire::msgpack::skip;

pub(crate) fn check(bytes: &[u8]) {
    let users = [("engine".to_owned(), "pa55".to_owned())];
    for users in [None, Some(&users[..])] {
        let access = Access { shared_key: Some(b"sekrit"), users };
        let denied = ServerHandshake::new(access, "logserver-1", [1; 16], [2; 16]).answer(bytes).unwrap_err();
        assert_eq!(skip(&denied.pong, 0).unwrap(), denied.pong.len());
        assert!(!denied.host_name.chars().any(char::is_control));
    }
    let credentials =
        Credentials { self_hostname: "edge-1", shared_key: b"sekrit", username: "engine", password: "pa55" };
    let mut client = ClientHandshake::new(credentials, [3; 16]);
    if let Ok(ping) = client.ping(bytes) {
        assert_eq!(skip(&ping, 0).unwrap(), ping.len());
    }
    client.judge(bytes).unwrap_err();
}
