//! `tls` of an input: which files mean something beside which.

use super::*;

fn with_tls(keys: &str) -> String {
    with_input(&format!("tls = {{ cert = \"a\", key = \"b\", {keys} }}"))
}

#[test]
fn tls_files_are_named_where_they_mean_something() {
    let config = parse(&with_tls("client_ca = [\"c\", \"d\"]")).unwrap();
    let tls = config.inputs[0].tls.as_ref().unwrap();
    assert_eq!(tls.client_ca, [PathBuf::from("c"), "d".into()]);
    assert!(tls.crl.is_empty() && tls.certificates.is_empty() && !tls.refuse_when_crl_expired);
    assert_eq!(tls.reload_interval, Duration::from_secs(10));
    assert_accepted(with_tls, &["reload_interval = \"1d\""]);
    assert_refused(
        with_tls,
        &[
            ("client_ca = []", "`client_ca` is an empty list"),
            ("client_ca = [\"\"]", "`client_ca` is empty"),
            ("client_ca = 1", "expected path or list of paths, found integer"),
            ("crl = \"c\"", "`crl` revokes certificates of `client_ca`, which is missing"),
            ("crl_expired = \"refuse\"", "the lists in `crl`, which is missing"),
            ("crl_expired = \"ignore\"", "expected one of `\"accept\"`, `\"refuse\"`"),
            ("certificates = [{ cert = \"c\" }]", "`certificates = [{ … }]` needs `key`"),
            ("certificates = [{ cert = \"c\", key = \"d\", name = \"e\" }]", "unknown key `name`"),
            ("reload_interval = \"25h\"", "out of range: expected time, 0s to 1d"),
        ],
    );
}
