//! `[[filter]]`: conditions, fields, and the limits of each type.

use super::*;

/// A filter and an output for what it finds invalid. The filter's keys begin in line 2.
fn with_filter(keys: &str) -> String {
    let invalid = "[[output]]\nid = \"bad\"\ntype = \"file\"\ninvalid = true\npath = \"bad\"\n";
    format!("[[filter]]\n{keys}\n{MINIMAL}\n{invalid}")
}

#[test]
fn filters_take_scalars_by_field() {
    assert_refused(
        with_filter,
        &[
            ("type = \"set\"\nfields = { a = { b = 1 } }", "3:16: expected text"),
            ("type = \"set\"\nfields = { a = [1] }", "expected text"),
            ("type = \"set\"\nfields = { a = 1979-05-27 }", "expected text"),
            ("type = \"set\"\nfields = {}", "`fields` is empty"),
            ("type = \"set\"\nfields = [\"a\"]", "found array"),
            ("type = \"remove\"\nfields = { a = 1 }", "found table"),
            ("type = \"remove\"\nfields = [1]", "found integer"),
            ("type = \"set\"", "`[[filter]] of type set` needs `fields`"),
            ("type = \"drp\"", "did you mean `drop`?"),
            ("match = [\"a\", 1]\ntype = \"remove\"\nfields = [\"a\"]", "2:15: `match`: expected"),
        ],
    );
}

#[test]
fn conditions_are_checked_where_they_stand() {
    assert_refused(
        with_filter,
        &[
            ("type = \"drop\"\nwhere = \"a = 1 && b = 2\"", "3:16: `&&` is written `and`"),
            ("type = \"drop\"\nwhere = 'message matches /a(/'", "3:26: regular expression"),
            ("type = \"keep_if\"", "2:8: `keep_if` needs `where`"),
        ],
    );
    assert_problem(&with_output("where = \"level ==\""), "`==` is written `=`");
    let output = "id = \"rest\"\ntype = \"file\"\nfallback = true\nwhere = \"a = 1\"\npath = \"rest\"";
    assert_problem(&with_output(&format!("[[output]]\n{output}")), "means nothing without it");
}

#[test]
fn what_a_filter_finds_invalid_needs_a_place() {
    for keys in [
        "type = \"validate\"\nrequired = [\"a\"]",
        "type = \"parse\"\nformat = \"json\"\non_error = \"invalid\"",
    ] {
        assert_problem(&with_section("[[filter]]")(keys), "add an output with `invalid = true`");
        assert!(parse(&with_filter(keys)).is_ok());
    }
}

#[test]
fn filters_are_complete_and_within_their_limits() {
    let multiline = |keys: &str| format!("type = \"multiline\"\nstart = 'x'\n{keys}");
    assert_accepted(
        with_filter,
        &[
            "type = \"mask\"\ndetect = [\"mail\", \"card\", \"token\", \"ipv4\", \"ipv6\"]\nkeys = true",
            "type = \"sanitize\"\nmax_length = 1\nreplacement = \"\"",
            "type = \"sanitize\"\nmax_length = 1000000",
            "type = \"sample\"\none_in = 1",
            "type = \"sample\"\none_in = 1000000000",
            "type = \"time\"\nfield = \"t\"\nformats = [\"unix_ms\", \"%s\", \"%Y-%m-%d %H:%M:%S.%3N\"]",
            &multiline("max_lines = 2\nmax_size = \"1KiB\""),
            &multiline("max_lines = 100000\nmax_size = \"16MiB\""),
            "type = \"parse\"\nformat = \"csv\"\ncolumns = [\"a\"]\ndelimiter = \";\"",
            "type = \"level\"\nwords = { x = \"WARN\" }\ndefault = \"TRACE\"",
        ],
    );
    assert_refused(
        with_filter,
        &[
            ("type = \"mask\"", "what is hidden?"),
            ("type = \"mask\"\ndetect = [\"mails\"]", "3:11: expected one of `mail`"),
            ("type = \"mask\"\npatterns = ['(']", "3:14: regular expression"),
            ("type = \"mask\"\nfields = [\"a\"]\nkeys = true", "4:8: `keys` means all keys"),
            ("type = \"keep\"\nfields = []", "the list of fields is empty"),
            ("type = \"rename\"\nfields = { a = \"\" }", "the name of a field is missing"),
            ("type = \"sanitize\"\nmax_length = 0", "out of range"),
            ("type = \"sanitize\"\nmax_length = 1000001", "out of range"),
            ("type = \"sanitize\"\ncharacters = \"z-a\"", "runs backwards"),
            ("type = \"sample\"\none_in = 0", "out of range"),
            ("type = \"sample\"\none_in = 1000000001", "out of range"),
            ("type = \"time\"\nfield = \"t\"\nformats = []", "the list of formats is empty"),
            ("type = \"time\"\nfield = \"t\"\nformats = \"iso\"", "expected rfc3339"),
            ("type = \"time\"\nfield = \"t\"\nformats = \"%H:%M\"", "names no whole time"),
            ("type = \"time\"\nfield = \"t\"\ntimezone = \"Tokyo\"", "expected a time zone"),
            (&multiline("max_lines = 1"), "out of range"),
            (&multiline("max_lines = 100001"), "out of range"),
            (&multiline("max_size = 1023"), "out of range"),
            (&multiline("max_size = \"16385KiB\""), "out of range"),
            ("type = \"multiline\"", "which lines belong together?"),
            ("type = \"parse\"\nformat = \"csv\"", "`csv` needs `columns`"),
            ("type = \"parse\"\nformat = \"csv\"\ncolumns = []", "the list of columns is empty"),
            ("type = \"parse\"\nformat = \"regex\"", "`regex` needs `regex`"),
            ("type = \"parse\"\nformat = \"regex\"\nregex = '(a)'", "no group has a name"),
            (
                "type = \"parse\"\nformat = \"json\"\nregex = '(?<a>a)'",
                "means nothing with `format = \"json\"`",
            ),
            (
                "type = \"parse\"\nformat = \"csv\"\ncolumns = [\"a\"]\ndelimiter = \"\\\"\"",
                "one ASCII character",
            ),
            (
                "type = \"parse\"\nformat = \"json\"\nerror_field = \"e\"",
                "means nothing with `on_error = \"keep\"`",
            ),
            ("type = \"parse\"\nformat = \"json\"\ntypes = { a = \"map\" }", "expected one of `string`"),
            ("type = \"level\"\nwords = { x = \"warn\" }", "expected one of `FATAL`"),
            ("type = \"validate\"", "what is valid?"),
            ("type = \"validate\"\ntypes = { a = \"number\" }", "expected one of `string`"),
            (
                "type = \"hash\"\nfields = [\"a\"]\nkey_file = \"/nowhere/key\"",
                "4:12: cannot read the key file",
            ),
            ("type = \"hash\"\nfields = [\"a\"]\nkey_file = \"Cargo.toml\"", "holds no key"),
            ("type = \"retag\"\ntag = \"${x}\"", "not set"),
        ],
    );
}
