//! Holds "Limits that are no settings" in docs/configuration.md against the code.
//!
//! Both are read as text: so constants stay private to where they are used, and one that nobody wrote down is found as well.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../docs/configuration.md");
const METRICS: &str = include_str!("../docs/metrics.md");
const HEADING: &str = "\n## Limits that are no settings\n";

/// Constants that are called limits, with why they are not in the document.
const NO_LIMITS: &[(&str, &[(&str, &str)])] = &[
    (
        "a bound of a key, which the row of that key tells",
        &[
            ("config/output/backlog.rs", "DEFAULT_MAX_SET_ASIDE"),
            ("config/reference/input.rs", "MAX_MESSAGE_SIZE"),
            ("config/reference/input.rs", "MAX_OWN_TAG"),
            ("config/reference/kind.rs", "MAX_ID_LENGTH"),
            ("config/reference/security.rs", "MAX_SECRET_LENGTH"),
            ("wire/msgpack/skip.rs", "MAX_DEPTH"),
        ],
    ),
    (
        "a format, a library or the system has it so",
        &[
            ("config/filter/key_file.rs", "MAX_FILE_SIZE"),
            ("journal/format/chunk_payload/write.rs", "MAX_ATTRIBUTE_LENGTH"),
            ("output/file/gzip/level.rs", "MAX_LIBDEFLATE"),
            ("output/file/undo/record.rs", "MAX_PATH_LENGTH"),
            ("pipeline/filter/mask/address.rs", "MAX_IPV6"),
            ("pipeline/filter/mask/card.rs", "MAX_DIGITS"),
            ("pipeline/filter/parse/syslog.rs", "MAX_PRIORITY"),
            ("storage/real.rs", "MAX_PARTS"),
            ("tls/server/stream/records/header.rs", "MAX_CONTENT"),
            ("tls/server/stream/records/header.rs", "MAX_EXPANSION"),
        ],
    ),
    (
        "another limit is reached before it",
        &[
            ("cli/stored_events.rs", "MAX_INFLATED_SIZE"),
            ("config/load/test_case/value.rs", "MAX_RECORD"),
            ("output/inflater.rs", "MAX_INFLATED_SIZE"),
            ("tls/server/stream/incoming.rs", "MAX_LENGTH"),
        ],
    ),
    (
        "beyond it the same is done in another way",
        &[
            ("cli/health.rs", "MAX_ANSWER"),
            ("client/delivery.rs", "MAX_RECONNECT_WAIT"),
            ("input/forward/reader.rs", "MAX_PROVEN"),
            ("journal/in_place.rs", "MAX_PADDING"),
            ("journal/in_place.rs", "MAX_SLACK"),
            ("journal/inspect/verify.rs", "MAX_LOOKS"),
            ("journal/recent/block.rs", "MAX_SLACK"),
            ("output/file/gzip/isal.rs", "MAX_TEXT"),
            ("output/file/gzip/mod.rs", "MAX_PERCENT_BY_ISAL"),
            ("output/file/gzip/mod.rs", "MAX_PERCENT_OF_FLUENTD"),
            ("pipeline/level.rs", "MAX_WORD"),
            ("pipeline/record/editor.rs", "MAX_COMPARISONS"),
            ("pipeline/record/list.rs", "MAX_UNKNOWN_KEYS"),
            ("wire/options.rs", "MAX_QUOTED"),
            ("wire/run_checker.rs", "KEPT_CAPACITY"),
        ],
    ),
];

/// A row of the document: what is limited, to what, and by which constant.
struct Row {
    what: &'static str,
    value: &'static str,
    path: &'static str,
    constant: &'static str,
}

/// What a constant is, or a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// Of bytes, or of anything else.
    Count(u64),
    Time(Duration),
}

fn section() -> &'static str {
    let (_, section) = DOCUMENT.split_once(HEADING).expect(HEADING);
    section.split_once("\n## ").map_or(section, |(section, _)| section)
}

fn rows() -> impl Iterator<Item = Row> {
    let is_row =
        |line: &&str| line.starts_with("| ") && !line.starts_with("| limit |") && !line.starts_with("| -");
    section().lines().filter(is_row).map(|line| {
        let row = || -> Option<Row> {
            let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
            let [what, value, _, _] = cells[..] else { return None };
            let (value, link) = value.strip_prefix('[')?.strip_suffix("\")")?.split_once("](../")?;
            let (path, constant) = link.split_once(" \"")?;
            Some(Row { what, value, path, constant })
        };
        row().unwrap_or_else(|| {
            panic!(
                "write `| limit | [value](../src/FILE \"CONSTANT\") | what happens | what shows it |`: {line}"
            )
        })
    })
}

impl Value {
    /// As the document writes it.
    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
        let number: u64 = number.replace(',', "").parse().ok()?;
        Some(match unit {
            "" | "bytes" => Self::Count(number),
            "KiB" => Self::Count(number << 10),
            "MiB" => Self::Count(number << 20),
            "s" => Self::Time(Duration::from_secs(number)),
            "h" => Self::Time(Duration::from_secs(number * 3600)),
            _ => return None,
        })
    }

    /// What is to be written in place of `text`.
    fn shown_like(self, text: &str) -> String {
        let is_size = text.ends_with("bytes") || text.ends_with("iB");
        match self {
            Self::Count(bytes) if is_size && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
            Self::Count(bytes) if is_size && bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
            Self::Count(bytes) if is_size => format!("{bytes} bytes"),
            Self::Count(count) => count.to_string(),
            Self::Time(time) => format!("{} s", time.as_secs_f64()),
        }
    }
}

/// The constants of a file, but for those within something else, such as tests; with their expressions.
fn constants(source: &str) -> impl Iterator<Item = (&str, &str)> {
    source.lines().filter_map(|line| {
        let (visibility, rest) = line.split_once("const ")?;
        let (name, rest) = rest.split_once(": ")?;
        let expression = rest.split_once(" = ")?.1.strip_suffix(';')?;
        (visibility.is_empty() || visibility.starts_with("pub")).then_some((name, expression))
    })
}

fn value_of(constant: &str, source: &str) -> Option<Value> {
    let (_, expression) = constants(source).find(|(name, _)| *name == constant)?;
    match expression.strip_prefix("Duration::from_secs(").and_then(|rest| rest.strip_suffix(')')) {
        Some(seconds) => Some(Value::Time(Duration::from_secs(number(seconds)?))),
        None => number(expression).map(Value::Count),
    }
}

/// A product or a shift of numbers.
fn number(expression: &str) -> Option<u64> {
    if let Some((number, bits)) = expression.split_once(" << ") {
        return Some(self::number(number)? << self::number(bits)?);
    }
    expression.split(" * ").map(|factor| factor.replace('_', "").parse::<u64>().ok()).product()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// The files of a folder of the sources, but for tests and what is no part of a server.
fn sources(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            let is_of_a_server = !matches!(&*name, "tests" | "simulation" | "simulated");
            files.extend(is_of_a_server.then(|| sources(&path)).into_iter().flatten());
        } else if !name.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_value_is_that_of_its_constant() {
    let mut wrong = String::new();
    for Row { what, value, path, constant } in rows() {
        let said = Value::parse(value);
        match read(path).and_then(|source| value_of(constant, &source)) {
            None => {
                wrong += &format!("{what}: {path} has no `const {constant}` that is a product of numbers\n")
            }
            Some(is) if Some(is) == said => {}
            Some(is) => {
                wrong += &format!(
                    "{what}: write [{}] for [{value}], {constant} has changed\n",
                    is.shown_like(value)
                );
            }
        }
    }
    assert!(wrong.is_empty(), "in docs/configuration.md under{HEADING}{wrong}");
}

#[test]
fn every_constant_that_is_called_a_limit_is_there_or_known_to_be_none() {
    let is_limit = |name: &str| ["MAX_", "DEFAULT_MAX_", "KEPT_"].iter().any(|start| name.starts_with(start));
    let mut limits = BTreeSet::new();
    for path in sources("src") {
        let source = read(&path).unwrap();
        let names = constants(&source).filter(|(name, _)| is_limit(name));
        limits.extend(names.map(|(name, _)| (path.clone(), name.to_owned())));
    }
    let mut told: BTreeSet<_> = rows().map(|row| (row.path.to_owned(), row.constant.to_owned())).collect();
    for (path, constant) in NO_LIMITS.iter().flat_map(|(_, constants)| *constants) {
        let place = (format!("src/{path}"), (*constant).to_owned());
        assert!(limits.contains(&place), "{constant} in src/{path} is no more: take it out of NO_LIMITS");
        assert!(told.insert(place), "{constant} in src/{path} is in the document as well");
    }
    let missing: Vec<_> = limits.difference(&told).collect();
    assert!(
        missing.is_empty(),
        "write down what happens at these in docs/configuration.md under{HEADING}or, where nobody can reach or feel \
         them, why in NO_LIMITS: {missing:#?}"
    );
}

#[test]
fn what_shows_a_limit_is_a_metric_that_there_is() {
    let words =
        section().split('`').filter(|word| word.starts_with("hikyaku_") || word.starts_with("fluentd_"));
    for word in words {
        assert!(METRICS.contains(&format!("| `{word}` |")), "{word} is no metric");
    }
}
