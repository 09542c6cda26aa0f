//! `[[input]]`: where it listens, and its tags.

use super::*;

#[test]
fn an_input_may_listen_on_a_unix_socket() {
    let on_socket = |keys: &str| {
        MINIMAL.replace("listen = \"127.0.0.1:24224\"\n", &format!("listen = \"unix:/run/x.sock\"\n{keys}\n"))
    };
    let input = &parse(&on_socket("")).unwrap().inputs[0];
    assert_eq!(input.listen, ListenAddress::Unix(PathBuf::from("/run/x.sock")));
    assert_eq!(input.socket_mode, DEFAULT_SOCKET_MODE);
    assert_eq!(parse(&on_socket("socket_mode = \"600\"")).unwrap().inputs[0].socket_mode, 0o600);
    assert_accepted(on_socket, &["socket_mode = \"0777\"\nudp_heartbeat = false"]);
    for mode in ["1777", "0778", "77", "00777", "+77", ""] {
        assert_problem(
            &on_socket(&format!("socket_mode = \"{mode}\"")),
            "expected permissions in octal digits",
        );
    }
    assert_refused(
        on_socket,
        &[
            ("udp_heartbeat = true", "`udp_heartbeat` is for TCP"),
            ("resolve_hostname = true", "`resolve_hostname` is for TCP"),
            ("tls = { cert = \"a\", key = \"b\" }", "`tls` is for TCP"),
        ],
    );
    assert_problem(&with_input("socket_mode = \"0660\""), "`socket_mode` is for Unix sockets");
    assert_problem(&MINIMAL.replace("127.0.0.1:24224", "/run/x.sock"), "such as \"unix:/run/");
    let twice = format!(
        "[[input]]\nid = \"b\"\ntype = \"forward\"\nlisten = \"unix:/run/x.sock\"\n{}",
        on_socket("")
    );
    assert_problem(&twice, "unix:/run/x.sock is taken by another listener");
}

#[test]
fn a_tag_of_the_input_has_a_length() {
    for key in ["tag", "add_tag_prefix"] {
        let of_length = |length| with_input(&format!("{key} = \"{}\"", "t".repeat(length)));
        assert!(parse(&of_length(1024)).is_ok());
        assert_problem(&of_length(1025), "has 1025 bytes, at most 1024");
        assert_problem(&of_length(0), "is empty");
    }
}

#[test]
fn metadata_go_to_a_field_with_a_name() {
    assert_problem(&with_input("metadata_field = \"a..b\""), "empty key");
}
