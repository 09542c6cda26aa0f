//! An explanation for people.

use crate::pipeline::{Answer, Change, Explanation, FilterAnswer, OutputAnswer, Target};

/// In columns; each line ends with a line feed.
pub(in crate::cli) fn written(explanation: &Explanation) -> String {
    let Explanation { sent, tag, input, decided, filters, outputs } = explanation;
    let mut out = format!("The way of an event with the tag {sent} from input {input}");
    if sent != tag {
        out.push_str(&format!(", which makes it {tag}"));
    }
    out.push('\n');
    if !decided {
        out.push_str("What its record decides is an \"if\"; --record '{…}' decides it.\n");
    }
    if !filters.is_empty() {
        out.push_str("\nfilters\n");
        write_filters(&mut out, filters);
    }
    out.push_str("\noutputs\n");
    write_outputs(&mut out, outputs);
    out
}

fn write_filters(out: &mut String, filters: &[FilterAnswer]) {
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let number = width(&mut filters.iter().map(|filter| filter.number.to_string().len()));
    let kind = width(&mut filters.iter().map(|filter| filter.kind.len()));
    let line = width(&mut filters.iter().map(|filter| filter.line.to_string().len()));
    let margin = " ".repeat(2 + 5 + number + 2 + kind + 2 + 5 + line + 2);
    let has_pipelines = filters.iter().any(|filter| filter.pipeline.is_some());
    let mut last = None;
    for filter in filters {
        if has_pipelines && last != Some(&filter.pipeline) {
            match &filter.pipeline {
                Some(name) => out.push_str(&format!("  pipeline {name}\n")),
                None => out.push_str("  default pipeline\n"),
            }
            last = Some(&filter.pipeline);
        }
        let head = format!(
            "  {:<5}{:>number$}  {:<kind$}  line {:<line$}  ",
            word(filter.works),
            filter.number,
            filter.kind,
            filter.line
        );
        let changes = filter.changes.iter().flat_map(changed);
        let mut lines: Vec<_> =
            Some(filter.reason.clone()).filter(|reason| !reason.is_empty()).into_iter().collect();
        lines.extend(filter.effect.clone());
        lines.extend(changes);
        write_block(out, &head, &margin, &lines);
    }
}

fn write_outputs(out: &mut String, outputs: &[OutputAnswer]) {
    let id = outputs.iter().map(|output| output.id.len()).max().unwrap_or(0);
    let kinds: Vec<_> = outputs.iter().map(kind_of).collect();
    let kind = kinds.iter().map(String::len).max().unwrap_or(0);
    let margin = " ".repeat(2 + 5 + id + 2 + kind + 2);
    for (output, shown) in outputs.iter().zip(&kinds) {
        let head = format!("  {:<5}{:<id$}  {:<kind$}  ", word(output.takes), output.id, shown);
        let mut lines = vec![output.reason.clone()];
        if output.takes != Answer::No {
            match &output.target {
                Target::Path(path) => lines.push(format!("→ {path}")),
                Target::Servers(servers) => lines.extend(servers.iter().map(|server| format!("→ {server}"))),
            }
        }
        write_block(out, &head, &margin, &lines);
    }
}

fn kind_of(output: &OutputAnswer) -> String {
    match &output.pipeline {
        Some(name) => format!("{} in {name}", output.kind),
        None => output.kind.to_owned(),
    }
}

/// The head, and the lines beside it, one below the other.
fn write_block(out: &mut String, head: &str, margin: &str, lines: &[String]) {
    let mut lines = lines.iter();
    let first = lines.next().map_or("", String::as_str);
    out.push_str(format!("{head}{first}").trim_end());
    out.push('\n');
    for line in lines {
        out.push_str(&format!("{margin}{line}\n"));
    }
}

fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::If => "if",
    }
}

/// A field that is gone, a new one, or both.
fn changed(change: &Change) -> impl Iterator<Item = String> {
    let line = |sign: char, value: &Option<serde_json::Value>| {
        value.as_ref().map(|value| format!("{sign} {} = {value}", change.field))
    };
    line('-', &change.before).into_iter().chain(line('+', &change.after))
}
