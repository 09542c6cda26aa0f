//! `path` of an output: it stays below the folder that is written in it, and belongs to one output.

use super::*;

#[test]
fn a_path_stays_where_it_is_written() {
    let with_path = |path: &str| MINIMAL.replace("logs/%Y.log", path);
    assert_accepted(with_path, &["logs/..a/b.."]);
    assert_refused(
        with_path,
        &[
            ("logs/../x", "11:14: `..` is not allowed"),
            ("..", "11:9: `..` is not allowed"),
            ("", "`path` is empty"),
            ("logs/", "this is a folder"),
            ("logs/x.zst", "11:15: Zstandard is not supported yet; use .gz"),
            ("logs/${customer_name}/x", "written `{customer_name}`"),
            ("logs/%{host}/x", "write `{host}`"),
        ],
    );
    assert_problem(&with_output("path_characters = { b = \"a-z\" }"), "`path` has no placeholder `{b}`");
}

#[test]
fn a_file_has_one_writer() {
    let second = "[[output]]\nid = \"b\"\ntype = \"file\"\nmatch = \"b\"\npath = \"logs/%Y.log\"";
    assert_problem(&with_output(second), "16:8: could write the same file as output `archive`");
}
