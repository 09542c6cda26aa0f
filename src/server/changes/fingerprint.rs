//! What decides about the events that an output takes, as one hash.
//!
//! ```text
//! "2:" and the SHA-256, in hex, of
//!   kind of the output: match, fallback, invalid or secondary
//!   the server's name, where a filter, a condition or an input uses {@server}; else an empty line
//!   each part: its length in bytes as a decimal number, a line end, its text (config::RoutingText)
//!     inputs, filters in their order; this output, and for one that takes what is invalid all that it is left by
//! ```
//!
//! A filter may drop an event, give it another tag or another pipeline, so all of them count; so does the program in a file
//! that one names. Another spelling of the same counts as a change, but neither another place in the file nor another
//! version of hikyaku does.

use crate::config::{Config, FilterConfig, OutputConfig, OutputTake};

/// What a fingerprint of this kind begins with. Those of before had nothing there.
const PREFIX: &str = "2:";

/// Of what an output takes.
pub(super) fn fingerprint(config: &Config, output: &OutputConfig) -> String {
    let routing = &config.routing;
    let mut parts: Vec<&str> = routing.inputs.iter().chain(&routing.filters).map(String::as_str).collect();
    let programs = programs(config);
    parts.extend(programs.iter().map(String::as_str));
    let outputs = config.outputs.iter().zip(&routing.outputs);
    parts.extend(outputs.filter(|(other, _)| decides(other, output)).map(|(_, text)| text.as_str()));

    let uses_name = parts.iter().any(|part| part.contains("{@server}"));
    let name = if uses_name { config.server.name.as_str() } else { "" };
    let mut text = format!("{}\n{name}\n", kind(output));
    for part in parts {
        text.push_str(&format!("{}\n{part}", part.len()));
    }
    format!("{PREFIX}{}", sha256(&text))
}

/// Whether a fingerprint that was kept is that of what an output takes now. One of the version before is compared with
/// what that one would have made of this configuration, so that an upgrade is no change.
pub(super) fn is_of(kept: &str, config: &Config, output: &OutputConfig) -> bool {
    match kept.starts_with(PREFIX) {
        true => kept == fingerprint(config, output),
        false => kept == of_before(config, output),
    }
}

/// As the version before made it: of how values are printed, and always with the server's name.
pub(super) fn of_before(config: &Config, output: &OutputConfig) -> String {
    let inputs: Vec<_> = config
        .inputs
        .iter()
        .map(|input| (&input.id, &input.pipeline, &input.metadata_field, &input.ownership))
        .collect();
    let filters: Vec<_> =
        config.filters.iter().map(|filter| FilterConfig { line: 0, ..filter.clone() }).collect();
    let takes: Vec<_> = config
        .outputs
        .iter()
        .filter(|other| decides(other, output))
        .map(|other| (&other.pipeline, &other.take))
        .collect();
    sha256(&format!("{}\n{inputs:?}\n{filters:?}\n{takes:?}", config.server.name))
}

/// Whether the keys of an output have a part in what this one takes. The output for invalid events takes what others leave
/// to it.
fn decides(other: &OutputConfig, output: &OutputConfig) -> bool {
    other.id == output.id
        || (matches!(output.take, OutputTake::Invalid) && matches!(other.take, OutputTake::Match { .. }))
}

fn kind(output: &OutputConfig) -> &'static str {
    match output.take {
        OutputTake::Match { .. } => "match",
        OutputTake::Fallback => "fallback",
        OutputTake::Invalid => "invalid",
        OutputTake::Secondary => "secondary",
    }
}

/// Of the filters that run one, which may lie in a file.
#[cfg(feature = "remap")]
fn programs(config: &Config) -> Vec<String> {
    let kinds = config.filters.iter().map(|filter| &filter.kind);
    kinds
        .filter_map(|kind| match kind {
            crate::config::FilterKind::Remap(remap) => Some(remap.program.source().to_owned()),
            _ => None,
        })
        .collect()
}

#[cfg(not(feature = "remap"))]
fn programs(_: &Config) -> Vec<String> {
    Vec::new()
}

fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
