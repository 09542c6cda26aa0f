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
mod security;
mod server;
mod table;
mod text;
mod value;

use document::{Document, Read};
use table::Table;
use toml::de::DeTable;
use value::Value;

use super::Config;
use super::error::InvalidConfig;
use super::reference::{
    FILE, FILTER, FILTER_TYPES, HEALTH, INPUT, JOURNAL, LOG, METRICS, MONITOR_AGENT, OUTPUT, SERVER,
};

/// Reads the text of a configuration file; `file` is what messages call it.
pub(super) fn parse(
    source: &str,
    file: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, InvalidConfig> {
    let invalid = |problems| InvalidConfig { file: file.to_owned(), problems };
    let (root, errors) = DeTable::parse_recoverable(source);
    if !errors.is_empty() {
        // What could be recovered behind a syntax error may miss half of a table: judging it would mislead.
        let document = Document::new(source, environment);
        for error in errors {
            document.report(&error.span().unwrap_or_default(), format!("TOML syntax: {}", error.message()));
        }
        return Err(invalid(document.into_problems()));
    }
    let document = Document::new(source, environment);
    let config = read(&Table::open(&document, &FILE, root.get_ref(), 0..0));
    match (config, document.into_problems()) {
        (Ok(config), problems) if problems.is_empty() => Ok(config),
        (_, problems) => Err(invalid(problems)),
    }
}

fn read(file: &Table<'_>) -> Read<Config> {
    let server = server::server(&file.table("server", &SERVER));
    let server_name = server.as_ref().map_or("", |server| server.name.as_str());
    let log = server::log(&file.table("log", &LOG));
    let journal_table = file.table("journal", &JOURNAL);
    let journal = server::journal(&journal_table);
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
    checks::judges(&checks::complete(&filter_tables, &filters), &checked_outputs);
    checks::paths(&checked_outputs);
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
        inputs: inputs.into_iter().collect::<Read<_>>()?,
        filters: filters.into_iter().collect::<Read<_>>()?,
        outputs: outputs.into_iter().collect::<Read<_>>()?,
        health: health?,
        monitor_agent: monitor_agent?,
        metrics: metrics?,
    })
}
