//! Whole configurations: what is filled in, every key, and the files that are shipped.

use super::*;

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.path, Some(PathBuf::from("x.toml")));
    assert_eq!(config.server.name, host_name());
    assert_eq!(config.server.data_dir, PathBuf::from("/var/lib/hikyaku"));
    assert_eq!(config.log.format, LogFormat::Auto);
    assert_eq!(config.journal.max_size, 2 << 30);
    assert_eq!(config.journal.retain, Duration::ZERO);
    assert_eq!(config.journal.dedup_window, Duration::from_secs(600));
    assert_eq!(config.health.unwrap().listen.to_string(), "127.0.0.1:8889");
    assert_eq!(config.monitor_agent.unwrap().listen.to_string(), "127.0.0.1:24220");
    assert_eq!(config.metrics.unwrap().listen.to_string(), "127.0.0.1:24231");
    let input = &config.inputs[0];
    assert!(input.tls.is_none());
    assert_eq!((input.max_message_size, input.spool_above, input.max_pending_acks), (320 << 20, 8 << 20, 64));
    assert_eq!((input.max_connections_by_sender, input.max_handshakes_by_address), (1000, 1000));
    assert_eq!((input.idle_timeout, input.stall_timeout), (None, Duration::from_secs(60)));
    assert_eq!((input.max_events_per_second, input.max_bytes_per_second), (None, None));
    let output = &config.outputs[0];
    assert_eq!(file(output).flush_interval, Duration::from_secs(10));
    assert_eq!(file(output).format, FileFormat::Json);
    assert_eq!(output.start, StartAt::Newest);
    assert!(matches!(&output.take, OutputTake::Match { require, .. } if require.is_empty()));
}

#[test]
fn every_key_can_be_written() {
    let config = parse(
        r#"
        [server]
        name = "logserver-1"
        data_dir = "data"
        shutdown_timeout = "1h"
        [log]
        format = "json"
        level = "warn"
        modules = { journal = "debug", "input::forward" = "trace" }
        [journal]
        max_size = 201326592
        segment_size = "64MiB"
        memory = 0
        retain = "365d"
        dedup_window = "7d"
        dedup_max_ids = 2
        dedup_max_ids_by_sender = 1
        dedup_max_size = "1MiB"
        [[input]]
        id = "edge"
        type = "forward"
        listen = "[::]:8888"
        tls = { cert = "a.crt", key = "a.key", certificates = [{ cert = "b.crt", key = "b.key" }], client_ca = "ca.crt", crl = ["a.crl", "b.crl"], crl_expired = "refuse", reload_interval = "0s" }
        max_connections = 1
        handshake_timeout = "1ms"
        max_message_size = "32MiB"
        max_inflated_size = "32MiB"
        max_in_flight = "32MiB"
        max_in_flight_by_sender = "32MiB"
        max_pending_acks = 1
        max_connections_by_sender = 1
        max_handshakes_by_address = 1
        idle_timeout = "1h"
        stall_timeout = "1ms"
        max_events_per_second = 1
        max_bytes_per_second = "1KiB"
        refusal_window = "1s"
        max_remembered_refusals = 1
        udp_heartbeat = false
        tag = "app"
        add_tag_prefix = "edge"
        metadata_field = "otel.metadata"
        resolve_hostname = true
        [[input]]
        id = "local"
        type = "forward"
        listen = "unix:forward.sock"
        max_message_size = "32MiB"
        socket_mode = "0600"
        [[filter]]
        match = ["a.*", "b.**"]
        type = "set"
        fields = { z = "{tag}", "a.b" = 1, f = 1.5, t = true }
        [[filter]]
        type = "remove"
        fields = ["a"]
        [[output]]
        id = "csv"
        type = "file"
        match = "**"
        require = ["a"]
        start = "oldest"
        path = "logs/{a}.log"
        path_characters = { a = "a-z" }
        timezone = "Asia/Tokyo"
        format = "csv"
        csv_fields = ["a", "b"]
        inject = { tag = "tag", time = "at", time_format = "%s", timezone = "Asia/Tokyo" }
        flush_interval = "500ms"
        checkpoint_interval = "1s"
        buffer_memory = "1MiB"
        max_open_files = 1
        compression_level = 12
        compression_threads = 64
        retry_min_interval = "1s"
        retry_max_interval = "1s"
        undone_max_size = 0
        [[output]]
        id = "invalid"
        type = "file"
        invalid = true
        path = "logs/invalid"
        [health]
        enabled = false
        [monitor_agent]
        listen = "127.0.0.1:0"
        [metrics]
        listen = "127.0.0.1:0"
        max_label_values = 1
        "#,
    )
    .unwrap();
    assert!(config.health.is_none());
    assert_eq!(config.journal.max_size, 3 * config.journal.segment_size);
    assert_eq!(config.log.modules.len(), 2);
    assert_eq!(config.inputs[0].tls.as_ref().unwrap().client_ca, [PathBuf::from("ca.crt")]);
    let tls = config.inputs[0].tls.as_ref().unwrap();
    assert_eq!(
        tls.pairs().map(|pair| pair.key).collect::<Vec<_>>(),
        [PathBuf::from("a.key"), "b.key".into()]
    );
    assert_eq!(tls.crl, [PathBuf::from("a.crl"), "b.crl".into()]);
    assert!(tls.refuse_when_crl_expired && tls.reload_interval.is_zero());
    let FilterKind::Set { fields } = &config.filters[0].kind else { panic!("{:?}", config.filters[0]) };
    let order: Vec<_> = fields.iter().map(|(path, _)| path.clone()).collect();
    let path = |text| crate::pipeline::field_path::FieldPath::parse(text).unwrap();
    assert_eq!(
        order,
        [path("z"), path("a.b"), path("f"), path("t")],
        "fields are set in the order of the file"
    );
    let output = &config.outputs[0];
    assert_eq!(file(output).timezone.iana_name(), Some("Asia/Tokyo"));
    assert!(matches!(&file(output).format, FileFormat::Csv { fields } if fields.len() == 2));
    assert_eq!(file(output).inject.tag.as_deref(), Some("tag"));
    assert_eq!(output.start, StartAt::Oldest);
}

#[test]
fn the_built_in_and_the_shipped_configurations_are_valid() {
    let development = Config::development().unwrap();
    assert!(development.inputs.iter().all(|input| input.listen.tcp().unwrap().ip().is_loopback()));
    let text = include_str!("../../../config/hikyaku.toml");
    let production = parse(text).unwrap();
    assert_eq!(production.inputs[0].tls.as_ref().unwrap().cert, PathBuf::from("certs/server.crt"));
    assert_eq!(production.filters.len(), development.filters.len());
    let moved =
        Config::parse(text, None, &|name| (name == "HIKYAKU_CERTS").then(|| "/c".to_owned())).unwrap();
    assert_eq!(moved.inputs[0].tls.as_ref().unwrap().key, PathBuf::from("/c/server.key"));
}

#[test]
fn the_first_example_of_the_reference_is_valid() {
    let document = include_str!("../../../docs/configuration.md");
    let (_, example) = document.split_once("## The smallest file\n").unwrap();
    let (example, _) = example.split_once("\n## ").unwrap();
    assert_eq!(parse(example).unwrap().outputs[0].id, "archive");
}
