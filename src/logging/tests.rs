use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tracing::level_filters::LevelFilter;

use super::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `events` logs, until the log is closed.
fn logged(format: Format, fold: Duration, modules: &[(&str, LevelFilter)], events: impl FnOnce()) -> String {
    let modules: BTreeMap<_, _> = modules.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
    let config = LogConfig { format: LogFormat::Json, level: LevelFilter::INFO, fold, modules };
    let buffer = Buffer::default();
    let lines = LogLines::new(format, fold, Box::new(buffer.clone()));
    let guard = lines.guard();
    let subscriber = tracing_subscriber::registry().with(targets(&config)).with(lines);
    tracing::subscriber::with_default(subscriber, events);
    drop(guard);
    let bytes = buffer.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn lines(modules: &[(&str, LevelFilter)], events: impl FnOnce()) -> Vec<serde_json::Map<String, Value>> {
    let text = logged(Format::Json, Duration::from_secs(3600), modules, events);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Lines without their times, which are checked.
fn without_times(text: &str) -> Vec<String> {
    let cut = |line: &str| {
        let start = line.find("20").unwrap();
        assert!(line[start..start + 24].parse::<jiff::Timestamp>().is_ok(), "{line}");
        format!("{}{}", &line[..start], &line[start + 24..])
    };
    text.lines().map(cut).collect()
}

fn examples() {
    let _connection = tracing::info_span!("connection", peer = "192.0.2.7:4242").entered();
    tracing::info!(target: "hikyaku::server", input = "edge", tls = true, "listening");
    for bytes in [7, 8, 9] {
        tracing::warn!(
            target: "hikyaku::input::forward::connection", input = "edge", sender = "CN=engine-1,O=\"Acme\"",
            "refused a message of {bytes} bytes"
        );
    }
    tracing::error!(target: "hikyaku::journal", fatal = true, error = "dis\"k\n\x1b[2Jfull", "the journal has failed\r\n");
}

#[test]
fn json_lines_are_as_documented() {
    let text = logged(Format::Json, Duration::from_secs(10), &[], examples);
    assert_eq!(
        without_times(&text),
        [
            r#"{"time":"","level":"INFO","module":"server","message":"listening","input":"edge","tls":true,"peer":"192.0.2.7:4242"}"#,
            r#"{"time":"","level":"WARN","module":"input::forward::connection","message":"refused a message of 7 bytes","input":"edge","sender":"CN=engine-1,O=\"Acme\"","peer":"192.0.2.7:4242"}"#,
            r#"{"time":"","level":"FATAL","module":"journal","message":"the journal has failed\r\n","error":"dis\"k\n\u001b[2Jfull","peer":"192.0.2.7:4242"}"#,
            r#"{"time":"","level":"WARN","module":"input::forward::connection","message":"repeated 2 more times in the last 10s: refused a message of 7 bytes","input":"edge","sender":"CN=engine-1,O=\"Acme\"","peer":"192.0.2.7:4242","repeated":2}"#,
        ]
    );
}

#[test]
fn text_lines_hold_nothing_that_moves_a_cursor() {
    let text = logged(Format::Text { colours: false }, Duration::ZERO, &[], examples);
    assert_eq!(
        without_times(&text),
        [
            r#"  INFO server: listening input=edge tls=true peer=192.0.2.7:4242"#,
            r#"  WARN input::forward::connection: refused a message of 7 bytes input=edge sender="CN=engine-1,O=\"Acme\"" peer=192.0.2.7:4242"#,
            r#"  WARN input::forward::connection: refused a message of 8 bytes input=edge sender="CN=engine-1,O=\"Acme\"" peer=192.0.2.7:4242"#,
            r#"  WARN input::forward::connection: refused a message of 9 bytes input=edge sender="CN=engine-1,O=\"Acme\"" peer=192.0.2.7:4242"#,
            r#" FATAL journal: the journal has failed\r\n error="dis\"k\n\u{1b}[2Jfull" peer=192.0.2.7:4242"#,
        ]
    );
    let coloured = logged(Format::Text { colours: true }, Duration::ZERO, &[], examples);
    assert!(coloured.contains("\x1b[33m WARN\x1b[0m input"), "{coloured}");
    assert!(!coloured.contains("\x1b[2J"));
}

#[test]
fn a_line_is_one_json_object_with_everything_at_its_top() {
    let lines = lines(&[], || {
        let _outer = tracing::info_span!("connection", peer = "192.0.2.7", count = 1).entered();
        let _inner = tracing::info_span!("message", count = 2).entered();
        tracing::warn!(
            target: "hikyaku::journal::segment",
            error = %"dis\"k\nfull",
            count = 3_u64,
            level = "x",
            "cannot write {}",
            7
        );
    });
    let line = &lines[0];
    let time = line["time"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.len() == 24, "{time}");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["module"], "journal::segment");
    assert_eq!(line["message"], "cannot write 7");
    assert_eq!(line["error"], "dis\"k\nfull");
    assert_eq!(line["count"], 3, "the innermost wins");
    assert_eq!(line["level_"], "x");
    assert_eq!(line["peer"], "192.0.2.7");
    assert_eq!(line.len(), 8);
}

#[test]
fn levels_go_by_module() {
    let modules = [("journal", LevelFilter::DEBUG), ("rustls", LevelFilter::ERROR)];
    let lines = lines(&modules, || {
        tracing::debug!(target: "hikyaku::journal::segment", "1");
        tracing::trace!(target: "hikyaku::journal", "no");
        tracing::debug!(target: "hikyaku::input", "no");
        tracing::info!(target: "hikyaku::input", "2");
        tracing::warn!(target: "rustls::conn", "no");
        tracing::info!(target: "hyper", "3");
    });
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["1", "2", "3"]);
}

#[test]
fn lines_are_counted_whether_written_or_folded() {
    let (warnings, folded) = (lines_total().with_label_values(&["WARN"]), folded_total());
    let before = (warnings.get(), folded.get());
    lines(&[], || (0..5).for_each(|_| tracing::warn!("the same")));
    // Other tests log as well.
    assert!(warnings.get() >= before.0 + 2 && folded.get() >= before.1 + 4);
}
