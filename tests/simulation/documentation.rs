//! docs/durability.md: what it says is shown, is shown by tests that exist.

use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/durability.md");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the table of faults, each as its cells.
fn rows() -> Vec<Vec<&'static str>> {
    let table = PAGE.lines().skip_while(|line| !line.starts_with("| fault |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The text of a file of tests, or of all files of a folder of tests.
fn text_of(path: &Path) -> String {
    if !path.is_dir() {
        return std::fs::read_to_string(path).unwrap_or_default();
    }
    let mut entries: Vec<PathBuf> = path.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.iter().map(|entry| text_of(entry)).collect()
}

#[test]
fn every_fault_names_tests_that_exist() {
    let rows = rows();
    assert!(rows.len() > 30, "{} rows were found", rows.len());
    for row in rows {
        let [fault, _, shown_by] = row[..] else { panic!("a row has three cells: {row:?}") };
        let paths: Vec<_> = quoted(shown_by).collect();
        assert!(shown_by.contains("simulation") || !paths.is_empty(), "nothing shows: {fault}");
        for path in paths {
            let text = text_of(&root().join(path));
            let has_tests = ["#[test]", "#[tokio::test"].iter().any(|mark| text.contains(mark));
            assert!(has_tests, "{fault}: there are no tests in {path}");
        }
    }
}

#[test]
fn every_path_on_the_page_exists() {
    let paths =
        quoted(PAGE).filter(|text| ["src/", "tests/", "examples/"].iter().any(|top| text.starts_with(top)));
    for path in paths {
        assert!(root().join(path).exists(), "{path}");
    }
}

#[test]
fn every_command_on_the_page_runs_some_tests() {
    let commands = PAGE.lines().filter(|line| line.contains("cargo nextest run"));
    let mut count = 0;
    for command in commands {
        count += 1;
        let words: Vec<_> = command.split('#').next().unwrap().split_whitespace().collect();
        let at = words.iter().position(|word| *word == "--test").expect("a command names its tests");
        let [suite, filters @ ..] = &words[at + 1..] else { panic!("{command}") };
        let text = text_of(&root().join("tests").join(suite));
        assert!(!text.is_empty(), "{command}");
        for filter in filters.iter().filter(|word| !word.starts_with('-')) {
            let names = text.lines().filter_map(|line| line.trim().split_once("fn ").map(|(_, name)| name));
            let modules = text.lines().filter_map(|line| line.trim().strip_prefix("mod "));
            assert!(
                names.chain(modules).any(|name| name.contains(filter)),
                "{command}: no test is called so"
            );
        }
    }
    assert!(count > 3, "{count} commands were found");
}
