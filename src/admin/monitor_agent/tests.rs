use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::metrics::Metrics;

const CONFIG: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "0.0.0.0:8888"
tls = { cert = "certs/server.crt", key = "certs/server.key", client_ca = "certs/ca.crt" }

[[filter]]
match = "nginx.**"
type = "set"
fields = { log_type = "nginx", api_token = "hunter2" }

[[output]]
id = "archive"
type = "file"
match = "nginx.** openappsec.**"
path = "/archive/{customer_name}/%H.log.gz"

[[output]]
id = "errors"
type = "file"
match = "nginx.error"
path = "/errors/%H.log.gz"

[[output]]
id = "invalid"
type = "file"
invalid = true
path = "/invalid/%H.log.gz"

[[output]]
id = "unmatched"
type = "file"
fallback = true
path = "/unmatched/%H.log.gz"
"#;

/// Of what [`CONFIG`] has, after some traffic.
fn routes() -> MonitorAgentRoutes {
    let metrics = Metrics::new("logserver-1", 10);
    let edge = metrics.input("edge");
    edge.records(b"nginx.access", 7);
    edge.bytes.inc_by(700);
    let archive = metrics.output("archive", "file");
    archive.buffer_queue_bytes.set(250);
    archive.buffer_stage_bytes.set(50);
    archive.buffer_total_bytes.set(300);
    archive.retry_count.inc_by(2);
    archive.emit_records.inc_by(7);
    let config = Config::parse(CONFIG, None, &|_| None).unwrap();
    let plugins = move || {
        let outputs = config
            .outputs
            .iter()
            .map(|config| output_plugin(config, &metrics.output(&config.id, "file"), 1000, 100));
        let mut plugins = vec![input_plugin(&config.inputs[0], &edge)];
        plugins.extend(outputs);
        plugins.push(filter_plugin(0, &config.filters[0]));
        plugins
    };
    MonitorAgentRoutes {
        plugins: Box::new(plugins),
        process: ProcessInfo::new(Some("/etc/hikyaku/hikyaku.toml".as_ref()), "/var/lib/hikyaku".as_ref()),
    }
}

fn ask(path: &str, query: &str) -> (String, String) {
    let (head, body) = routes().answer(path, query).unwrap().into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = runtime.block_on(body.collect()).unwrap().to_bytes();
    let content_type = head.headers["content-type"].to_str().unwrap().to_owned();
    (content_type, String::from_utf8(body.to_vec()).unwrap())
}

fn plugins_json(query: &str) -> Vec<Value> {
    let body: Value = serde_json::from_str(&ask("/api/plugins.json", query).1).unwrap();
    body["plugins"].as_array().unwrap().clone()
}

fn ids(query: &str) -> Vec<String> {
    plugins_json(query).iter().map(|plugin| plugin["plugin_id"].as_str().unwrap().to_owned()).collect()
}

/// The keys of one object, in the order in which they were written.
fn keys_in_order(text: &str) -> Vec<&str> {
    text.split(['{', ','])
        .filter_map(|part| part.strip_prefix('"')?.split_once("\":"))
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn inputs_come_before_outputs_and_outputs_before_filters() {
    assert_eq!(ids(""), ["edge", "archive", "errors", "invalid", "unmatched", "filter_1"]);
    let categories: Vec<Value> =
        plugins_json("").iter().map(|plugin| plugin["plugin_category"].clone()).collect();
    assert_eq!(categories, ["input", "output", "output", "output", "output", "filter"]);
}

#[test]
fn an_output_has_fluentds_keys_in_fluentds_order() {
    let (content_type, body) = ask("/api/plugins.json", "@id=archive&with_config=false");
    assert_eq!(content_type, "application/json");
    assert_eq!(
        keys_in_order(&body),
        [
            "plugins",
            "plugin_id",
            "plugin_category",
            "type",
            "output_plugin",
            "buffer_queue_length",
            "buffer_timekeys",
            "buffer_total_queued_size",
            "retry_count",
            "emit_records",
            "emit_size",
            "emit_count",
            "write_count",
            "rollback_count",
            "slow_flush_count",
            "flush_time_count",
            "buffer_stage_length",
            "buffer_stage_byte_size",
            "buffer_queue_byte_size",
            "buffer_available_buffer_space_ratios",
            "retry",
        ]
    );
    let archive = &plugins_json("@id=archive")[0];
    assert_eq!(archive["output_plugin"], true);
    assert_eq!(archive["buffer_queue_length"], 3);
    assert_eq!(archive["buffer_total_queued_size"], 300);
    assert_eq!(archive["buffer_available_buffer_space_ratios"], 75.0);
    assert_eq!(archive["retry_count"], 2);
    assert_eq!(archive["emit_records"], 7);
    assert_eq!(archive["retry"], json!({}));
    assert_eq!(archive["config"]["path"], "/archive/{customer_name}/%H.log.gz");
    assert_eq!(archive["config"]["match"], "nginx.** openappsec.**");
    assert_eq!(archive["config"]["flush_interval"], "10s");
    assert_eq!(archive["config"]["buffer_memory"], "48MiB");
}

#[test]
fn an_input_tells_where_it_listens_and_no_secret() {
    let edge = &plugins_json("@type=forward")[0];
    assert_eq!(edge["output_plugin"], false);
    assert_eq!(edge["retry_count"], Value::Null);
    assert_eq!(edge["emit_records"], 7);
    assert_eq!(edge["emit_size"], 700);
    assert!(edge.get("retry").is_none() && edge.get("buffer_queue_length").is_none());
    let config = &edge["config"];
    assert_eq!(config["@type"], "forward");
    assert_eq!(config["@id"], "edge");
    assert_eq!(config["bind"], "0.0.0.0");
    assert_eq!(config["port"], "8888");
    assert_eq!(config["tls.cert"], "certs/server.crt");
    assert_eq!(config["tls.key"], "xxxxxx");
}

#[test]
fn a_filter_shows_what_it_does_and_masks_secrets() {
    let filter = &plugins_json("@id=filter_1")[0];
    assert_eq!(filter["type"], "set");
    assert_eq!(filter["retry_count"], Value::Null);
    assert_eq!(filter["config"]["match"], "nginx.**");
    assert_eq!(filter["config"]["fields.log_type"], "nginx");
    assert_eq!(filter["config"]["fields.api_token"], "xxxxxx");
}

#[test]
fn a_tag_selects_every_output_that_it_goes_to() {
    assert_eq!(ids("tag=nginx.access"), ["archive"]);
    assert_eq!(ids("tag=nginx.error"), ["archive", "errors"]);
    assert_eq!(ids("tag=something.else"), ["unmatched"]);
    assert_eq!(ids("@id=nobody"), [""; 0]);
    assert_eq!(ids("@type=file").len(), 4);
}

#[test]
fn config_and_retry_are_left_out_when_asked() {
    let archive = &plugins_json("@id=archive&with_config=false&with_retry=false")[0];
    assert!(archive.get("config").is_none() && archive.get("retry").is_none());
}

#[test]
fn debug_shows_more_counters_on_more_lines() {
    let (_, body) = ask("/api/plugins.json", "@id=archive&debug=1");
    assert!(body.lines().count() > 20, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["plugins"][0]["instance_variables"]["num_errors"], 0);
    assert!(plugins_json("@id=archive")[0].get("instance_variables").is_none());
}

#[test]
fn ltsv_has_one_line_a_plugin() {
    let (content_type, body) = ask("/api/plugins", "");
    assert_eq!(content_type, "text/plain");
    assert_eq!(body.lines().count(), 6);
    assert_eq!(
        body.lines().next(),
        Some(
            "plugin_id:edge\tplugin_category:input\ttype:forward\toutput_plugin:false\tretry_count:\t\
             emit_records:7\temit_size:700"
        )
    );
}

#[test]
fn the_process_is_told_as_json_and_ltsv() {
    let body: Value = serde_json::from_str(&ask("/api/config.json", "").1).unwrap();
    assert_eq!(body["pid"], std::process::id());
    assert_eq!(body["config_path"], "/etc/hikyaku/hikyaku.toml");
    assert_eq!(body["root_dir"], "/var/lib/hikyaku");
    assert_eq!(body["log_path"], Value::Null);
    assert!(body["ppid"].is_u64() && body["version"].is_string());
    let (_, line) = ask("/api/config", "");
    assert!(line.starts_with(&format!("pid:{}\tppid:", std::process::id())), "{line}");
    assert!(line.ends_with("root_dir:/var/lib/hikyaku\n"), "{line}");
}
