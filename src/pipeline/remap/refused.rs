//! The functions of VRL that a program may not call, why, and what to use instead.
//!
//! A chunk may be read again at any time: after a crash, by another output, by a replay. A program has to come to the same
//! result each time, and no value that a sender chose may make it take unbounded memory.

const CLOCK: &str = "the clock says something else when a chunk is read again";
const CHANCE: &str = "chance decides otherwise when a chunk is read again";
const OUTSIDE: &str =
    "a program sees one event and nothing outside of it, or a replay would come to another result";
const YEAR: &str = "it takes a year that the text leaves out from the clock";
const GROWS: &str = "a small field could become any amount of memory";
const SECRETS: &str = "there are no secrets here";
const VECTOR: &str = "it belongs to Vector itself";

/// By name: why, and what to do instead.
const REFUSED: [(&str, &str, &str); 38] = [
    ("now", CLOCK, "`%received_at` is when the event came in, `%time` its own time"),
    ("uuid_v4", CHANCE, "hash what tells events apart: `sha2(encode_json(.))`"),
    ("uuid_v7", CHANCE, "hash what tells events apart: `sha2(encode_json(.))`"),
    ("random_bool", CHANCE, "a filter of `type = \"sample\"` keeps the same events each time"),
    ("random_bytes", CHANCE, "hash what tells events apart: `sha2(encode_json(.))`"),
    ("random_float", CHANCE, "a filter of `type = \"sample\"` keeps the same events each time"),
    ("random_int", CHANCE, "a filter of `type = \"sample\"` keeps the same events each time"),
    (
        "get_hostname",
        OUTSIDE,
        "`%server` is the name of this server, `%source_hostname` that of the sender's host",
    ),
    ("get_env_var", OUTSIDE, "let a filter of `type = \"set\"` write a field: it knows `${NAME}`"),
    (
        "get_timezone_name",
        OUTSIDE,
        "times without a zone are UTC; name another one where you parse or format",
    ),
    ("dns_lookup", OUTSIDE, "look names up where the logs are read"),
    ("reverse_dns", OUTSIDE, "`%source_hostname` is the name of the sender's host, where it is known"),
    ("http_request", OUTSIDE, "ask for it where the logs are read"),
    (
        "log",
        OUTSIDE,
        "write what you want to see into a field, and try it with `hikyaku check` and a file output",
    ),
    ("parse_etld", OUTSIDE, "take the name apart with `parse_url` and `split`"),
    ("parse_proto", OUTSIDE, "let the sender decode protocol buffers"),
    ("encode_proto", OUTSIDE, "there is `encode_json`"),
    ("validate_json_schema", OUTSIDE, "a filter of `type = \"validate\"` checks fields and types"),
    ("parse_groks", OUTSIDE, "call `parse_grok` for each pattern: `parse_grok(.a, …) ?? parse_grok!(.a, …)`"),
    (
        "parse_syslog",
        YEAR,
        "put a filter of `type = \"parse\"` in front: `syslog_rfc3164` or `syslog_rfc5424`",
    ),
    ("parse_klog", YEAR, "take it apart with `parse_regex`"),
    ("parse_linux_authorization", YEAR, "put a filter of `type = \"parse\"` in front: `syslog_rfc3164`"),
    ("decode_gzip", GROWS, "let the sender inflate it"),
    ("decode_zlib", GROWS, "let the sender inflate it"),
    ("decode_zstd", GROWS, "let the sender inflate it"),
    ("decode_snappy", GROWS, "let the sender inflate it"),
    ("decode_lz4", GROWS, "let the sender inflate it"),
    (
        "set",
        GROWS,
        "write `.a.b = …`; for names from the event `. = merge(., from_entries!([[.name, .value]]))`",
    ),
    ("unnest", "an event stays one event", "keep the array, or let the sender send several events"),
    ("get_secret", SECRETS, "filters of `type = \"hash\"` and `\"encrypt\"` have a `key_file`"),
    ("set_secret", SECRETS, "filters of `type = \"hash\"` and `\"encrypt\"` have a `key_file`"),
    ("remove_secret", SECRETS, "filters of `type = \"hash\"` and `\"encrypt\"` have a `key_file`"),
    ("set_semantic_meaning", VECTOR, "leave it out"),
    (
        "get_enrichment_table_record",
        VECTOR,
        "write a table as an object: `{\"a\": 1, \"b\": 2}`, and `get!(table, [.name])`",
    ),
    ("find_enrichment_table_records", VECTOR, "write a table as an object, and `get!(table, [.name])`"),
    ("get_vector_metric", VECTOR, "metrics are at `/metrics`"),
    ("find_vector_metrics", VECTOR, "metrics are at `/metrics`"),
    ("aggregate_vector_metrics", VECTOR, "metrics are at `/metrics`"),
];

/// The message for a call of one of them.
pub(super) fn refusal(function: &str) -> Option<String> {
    let (_, why, instead) = REFUSED.iter().find(|(name, ..)| *name == function)?;
    Some(format!("`{function}` is not for a pipeline: {why}. Instead: {instead}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the crate has and what was looked at: a new version with a new function fails here, so that somebody looks.
    #[test]
    fn every_function_of_the_library_was_looked_at() {
        let allowed: Vec<_> = vrl::stdlib::all()
            .iter()
            .map(|function| function.identifier())
            .filter(|name| refusal(name).is_none())
            .collect();
        insta::assert_snapshot!(allowed.join(" "));
    }
}
