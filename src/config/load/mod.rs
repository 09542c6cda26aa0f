//! From TOML to [`Config`]: every mistake is found in one pass and reported where it stands.
//!
//! [`Document`] collects mistakes, [`Table`] reads keys against the reference, [`Value`] turns single values into
//! what their keys take, and one file a section puts these together. [`checks`] holds what concerns several
//! sections.

mod checks;
mod document;
mod filter;
mod input;
mod output;
mod ownership;
mod pipelines;
mod routing_text;
mod security;
mod server;
mod table;
mod test_case;
mod text;
mod value;

use std::ops::Range;
use std::path::Path;

use document::{Document, Read};
use table::Table;
use toml::de::DeTable;
use value::Value;

use super::error::{InvalidConfig, Problem};
use super::reference::{
    DEAD_LETTERS, FILE, FILTER, FILTER_TYPES, HEALTH, INPUT, JOURNAL, LOG, METRICS, MONITOR_AGENT, OUTPUT,
    SERVER, Section, TEST, TEST_FILE,
};
use super::{Config, TestCase};

/// Reads the text of a configuration file; `file` is what messages call it.
pub(super) fn parse(
    source: &str,
    file: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, InvalidConfig> {
    with_table(source, environment, &FILE, read)
        .map_err(|problems| InvalidConfig { file: file.to_owned(), problems })
}

/// Reads the tests in the text of a file: of the configuration itself, or of one beside it.
pub(super) fn parse_tests(
    source: &str,
    path: &Path,
    config: &Config,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<TestCase>, InvalidConfig> {
    let section = if config.path.as_deref() == Some(path) { &FILE } else { &TEST_FILE };
    with_table(source, environment, section, |file| {
        let tables = file.tables("test", &TEST);
        let tests: Vec<_> = tables.iter().map(|table| test_case::test_case(table, path, config)).collect();
        checks::test_names(&checks::complete(&tables, &tests));
        tests.into_iter().collect()
    })
    .map_err(|problems| InvalidConfig { file: path.display().to_string(), problems })
}

/// What is read from the table that a text is, if there is no mistake in it.
fn with_table<T>(
    source: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    section: &'static Section,
    read: impl FnOnce(&Table<'_>) -> Read<T>,
) -> Result<T, Vec<Problem>> {
    let document = Document::new(source, environment);
    let (root, errors) = DeTable::parse_recoverable(source);
    if let Some(directive) = fluentd_directive(source).filter(|_| !errors.is_empty()) {
        document.report(
            &directive,
            "this is a configuration of Fluentd, and hikyaku's is TOML: docs/replacing-fluentd.md tells what becomes of \
             what, and config/hikyaku.toml is one to begin with",
        );
        return Err(document.into_problems());
    }
    if !errors.is_empty() {
        // What could be recovered behind a syntax error may miss half of a table: judging it would mislead.
        for error in errors {
            document.report(&error.span().unwrap_or_default(), format!("TOML syntax: {}", error.message()));
        }
        return Err(document.into_problems());
    }
    let found = read(&Table::open(&document, section, root.get_ref(), 0..0));
    match (found, document.into_problems()) {
        (Ok(found), problems) if problems.is_empty() => Ok(found),
        (_, problems) => Err(problems),
    }
}

/// The first line that says anything, if it is a directive as `<source>`: no TOML begins like that.
fn fluentd_directive(source: &str) -> Option<Range<usize>> {
    let first = source.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let start = first.starts_with('<').then(|| source.find(first))??;
    Some(start..start + first.len())
}

fn read(file: &Table<'_>) -> Read<Config> {
    let server = server::server(&file.table("server", &SERVER));
    let server_name = server.as_ref().map_or("", |server| server.name.as_str());
    let log = server::log(&file.table("log", &LOG));
    let journal_table = file.table("journal", &JOURNAL);
    let journal = server::journal(&journal_table);
    let dead_letters = server::dead_letters(&file.table("dead_letters", &DEAD_LETTERS));
    let input_tables = file.tables("input", &INPUT);
    let inputs: Vec<_> = input_tables.iter().map(|table| input::input(table, server_name)).collect();
    let filter_tables = file.tables_by_type("filter", &FILTER, FILTER_TYPES);
    let filters: Vec<_> = filter_tables.iter().map(filter::filter).collect();
    let output_tables = file.tables_by_type("output", &OUTPUT, output::TYPES);
    let outputs: Vec<_> = output_tables.iter().map(output::output).collect();
    let health_table = file.table("health", &HEALTH);
    let health = server::admin(&health_table);
    let monitor_agent_table = file.table("monitor_agent", &MONITOR_AGENT);
    let monitor_agent = server::admin(&monitor_agent_table);
    let metrics_table = file.table("metrics", &METRICS);
    let metrics = server::metrics(&metrics_table);

    let checked_inputs = checks::complete(&input_tables, &inputs);
    let checked_outputs = checks::complete(&output_tables, &outputs);
    if let Ok(journal) = &journal {
        checks::journal(&journal_table, journal, &checked_inputs);
        checks::backlogs(journal, &checked_outputs);
    }
    checks::ids(&checked_inputs, &checked_outputs);
    checks::takes(&checked_outputs);
    checks::secondaries(&checked_outputs);
    let checked_filters = checks::complete(&filter_tables, &filters);
    checks::judges(&checked_filters, &checked_outputs);
    checks::throttles(&checked_filters);
    // What is missing in a table with a mistake of its own would look like a mistake elsewhere.
    if checked_inputs.len() == inputs.len()
        && checked_filters.len() == filters.len()
        && checked_outputs.len() == outputs.len()
    {
        pipelines::check(&checked_inputs, &checked_filters, &checked_outputs);
    }
    checks::paths(&checked_outputs);
    ownership::places(&checked_inputs, &checked_outputs);
    let mut listeners: Vec<_> =
        checked_inputs.iter().map(|(table, input)| (*table, input.listen.clone())).collect();
    for (table, listen) in [
        (&health_table, health.as_ref().ok().and_then(Option::as_ref).map(|admin| admin.listen)),
        (
            &monitor_agent_table,
            monitor_agent.as_ref().ok().and_then(Option::as_ref).map(|admin| admin.listen),
        ),
        (&metrics_table, metrics.as_ref().ok().and_then(Option::as_ref).map(|metrics| metrics.listen)),
    ] {
        listeners.extend(listen.map(|listen| (table, listen.into())));
    }
    checks::listeners(&listeners);
    for (name, empty) in [("input", input_tables.is_empty()), ("output", output_tables.is_empty())] {
        if empty {
            file.report(name, format!("the file has no `[[{name}]]`; at least one is needed"));
        }
    }

    Ok(Config {
        path: None,
        server: server?,
        log: log?,
        journal: journal?,
        dead_letters: dead_letters?,
        inputs: inputs.into_iter().collect::<Read<_>>()?,
        filters: filters.into_iter().collect::<Read<_>>()?,
        outputs: outputs.into_iter().collect::<Read<_>>()?,
        routing: routing_text::routing_text(&input_tables, &filter_tables, &output_tables),
        health: health?,
        monitor_agent: monitor_agent?,
        metrics: metrics?,
    })
}
