//! Tests with several chunks, and `hikyaku test --update`.

use std::path::Path;

use super::support::{hikyaku, printed};

const CONFIG: &str = r#"[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"

[[filter]]
type = "multiline"
field = "message"
start = '^\S'

[[filter]]
match = "nginx.**"
type = "throttle"
key = "{@sender}"
limit = 2
interval = "10s"

[[output]]
id = "archive"
type = "file"
match = "**"
path = "/logs/{tag}.log"
"#;

/// Runs the tests in this text.
fn run(folder: &Path, tests: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let (config, beside) = (folder.join("x.toml"), folder.join("x.tests.toml"));
    std::fs::write(&config, CONFIG).unwrap();
    std::fs::write(&beside, tests).unwrap();
    let output = hikyaku(&[&["test", "-c", config.to_str().unwrap()], arguments].concat());
    assert_eq!(std::fs::read_to_string(&config).unwrap(), CONFIG);
    (output.status.code(), printed(&output), std::fs::read_to_string(&beside).unwrap())
}

/// What `--update` makes of a text that fails, and that succeeds then.
fn updated(tests: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (code, said, text) = run(folder.path(), tests, &["--update"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 of them updated"), "{said}");
    let (code, said, again) = run(folder.path(), &text, &["--update"]);
    assert_eq!((code, &again), (Some(0), &text), "{said}");
    assert!(!said.contains("updated"), "{said}");
    text
}

#[test]
fn a_filter_remembers_from_chunk_to_chunk_by_sender_and_time() {
    let tests = r#"
[[test]]
name = "two in ten seconds, of each engine"
tag = "nginx.access"
sender = { subject = "CN=engine-1" }
chunks = [
    { events = [{ record = { n = 1, message = "x" } }, { record = { n = 2, message = "x" } }] },
    { sender = { subject = "CN=engine-2" }, events = [{ record = { n = 3, message = "x" } }] },
    { received_at = "2026-01-01T00:00:09.9Z", events = [{ record = { n = 4, message = "x" } }] },
    { received_at = "2026-01-01T00:00:10Z", events = [{ record = { n = 5, message = "x" } }] },
    { tag = "app.log", events = [{ record = { n = 6, message = "x" } }] },
]
expect.archive = [
    { fields = { n = 1 } }, { fields = { n = 2 } }, { fields = { n = 3 } }, { fields = { n = 5 } },
    { tag = "app.log", fields = { n = 6 } },
]

[[test]]
name = "lines join within a chunk and not over its edge"
tag = "app.log"
chunks = [
    { events = [{ record = { message = "a" } }, { record = { message = " b" } }] },
    { events = [{ record = { message = " c" } }] },
]
expect.archive = [{ record = { message = "a\n b" } }, { record = { message = " c" } }]
"#;
    let folder = tempfile::tempdir().unwrap();
    let (code, said, _) = run(folder.path(), tests, &[]);
    assert_eq!((code, said.lines().last()), (Some(0), Some("2 ok, 0 failed")), "{said}");
}

#[test]
fn what_comes_in_is_said_once() {
    for (keys, problem) in [
        ("tag = \"t\"", "what comes in?"),
        ("events = []", "which `tag`"),
        ("tag = \"t\"\nevents = []\nchunks = [{ events = [] }]", "only one of `events` and `chunks`"),
        ("tag = \"t\"\nchunks = []", "the list of chunks is empty"),
        ("chunks = [{ events = [] }]", "which `tag`"),
        ("tag = \"t\"\nchunks = [{ sender = {} }]", "needs `events`"),
        ("tag = \"t\"\nchunks = [{ events = [], server = \"x\" }]", "unknown key `server`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (code, said, _) = run(folder.path(), &format!("[[test]]\nname = \"a\"\n{keys}\n"), &[]);
        assert!(code == Some(78) && said.contains(problem), "{keys}: {said}");
    }
}

#[test]
fn an_update_changes_what_differs_and_nothing_else() {
    let before = r#"# All of them.

[[test]] # the first
name = "changed"
tag   =   "app.log"   # oddly spaced
events = [
    { record = { message = "a", n = 1 } }, # one
    { record = { message = "b", n = 2, x = 0.5, y = [1, "z"] } },
    { record = '{"message":"c","none":null}' },
]
# What comes out.
expect.archive = [
    { path = "/logs/other.log", fields = { n = 1 } }, # wrong path
    { record = { message = "b", n = 3, gone = true } },
    { record = '{"message":"d"}' },
    { tag = "one.too.many" },
]
others = "nothing" # the end

[[test]]
name = "untouched"
tag = "app.log"
events = [{record={message="a"}}]
expect.archive = [{}]
"#;
    let after = r#"# All of them.

[[test]] # the first
name = "changed"
tag   =   "app.log"   # oddly spaced
events = [
    { record = { message = "a", n = 1 } }, # one
    { record = { message = "b", n = 2, x = 0.5, y = [1, "z"] } },
    { record = '{"message":"c","none":null}' },
]
# What comes out.
expect.archive = [
    { path = "/logs/app.log.log", fields = { n = 1 } }, # wrong path
    { record = { message = "b", n = 2, x = 0.5, y = [1, "z"] } },
    { record = '{"message":"c","none":null}' },
]
others = "nothing" # the end

[[test]]
name = "untouched"
tag = "app.log"
events = [{record={message="a"}}]
expect.archive = [{}]
"#;
    assert_eq!(updated(before), after);
}

#[test]
fn an_update_writes_what_nothing_was_expected_of() {
    let head = "[[test]]\nname = \"a\"\ntag = \"app.log\"\nevents = [{ record = { message = \"a\" } }, \
                { record = { message = \"b\" } }]\n";
    let event =
        |text: &str| format!("{{ path = \"/logs/app.log.log\", record = {{ message = \"{text}\" }} }}");
    let written = updated(head);
    let expect = format!("expect.archive = [{}, {}]\n", event("a"), event("b"));
    assert_eq!(written, format!("{head}{expect}"));
    let dropped = updated(&format!("{head}expect.archive = \"nothing\"\n"));
    assert_eq!(dropped, format!("{head}{expect}"));
    let table = updated(&format!("{head}[[test.expect.archive]]\nfields.message = \"x\"\n"));
    assert!(
        table.contains("fields.message = \"a\"\n") && table.contains("fields.message = \"b\"\n"),
        "{table}"
    );
}

#[test]
fn an_update_that_nothing_comes_of_empties_the_list() {
    let head = "[[test]]\nname = \"a\"\ntag = \"app.log\"\nevents = []\n";
    assert_eq!(updated(&format!("{head}expect.archive = [{{}}]\n")), format!("{head}expect.archive = []\n"));
}

#[test]
fn programs_are_told_what_was_updated() {
    let folder = tempfile::tempdir().unwrap();
    let tests = "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = []\nexpect.archive = [{}]\n";
    let (code, said, _) = run(folder.path(), tests, &["--update", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said["ok"], &said["tests"][0]["updated"]), (Some(0), &true.into(), &true.into()));
}
