//! The server's own log: one line an event on standard output.

use std::fmt;
use std::io::{self, IsTerminal as _};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogConfig, LogFormat};

/// Starts the log.
///
/// # Errors
/// Where the process has a log already.
pub fn init(config: &LogConfig) -> Result<(), TryInitError> {
    let terminal = io::stdout().is_terminal();
    let json = match config.format {
        LogFormat::Auto => !terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    if json {
        json_lines(config, io::stdout).try_init()
    } else {
        let text = tracing_subscriber::fmt::layer().with_timer(Milliseconds).with_ansi(terminal);
        tracing_subscriber::registry().with(targets(config)).with(text).try_init()
    }
}

fn json_lines<W>(config: &LogConfig, writer: W) -> impl Subscriber + Send + Sync + use<W>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(JsonLines)
        .with_writer(writer);
    tracing_subscriber::registry().with(targets(config)).with(lines)
}

/// The prefix of hikyaku's own modules, which neither the configuration nor a line spells out.
const OWN: &str = "hikyaku::";

fn targets(config: &LogConfig) -> Targets {
    let mut targets = Targets::new().with_default(config.level);
    for (module, level) in &config.modules {
        // A name is one of hikyaku's modules or a library: no module has a library's name.
        targets = targets.with_target(format!("{OWN}{module}"), *level).with_target(module, *level);
    }
    targets
}

/// RFC 3339 in UTC with milliseconds.
#[derive(Debug)]
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", jiff::Timestamp::now())
    }
}

/// `{"time":…,"level":…,"module":…,"message":…}` and the fields of the event and of the spans around it, innermost
/// first where two have the same name. A field named like one of these four gets a `_` at its end.
#[derive(Debug)]
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<N>>();
            if let Some(Ok(Value::Object(object))) =
                formatted.map(|formatted| serde_json::from_str(&formatted.fields))
            {
                object.into_iter().for_each(|(name, value)| fields.add(&name, value));
            }
        }
        let metadata = event.metadata();
        let module = metadata.target();
        write!(writer, r#"{{"time":""#)?;
        Milliseconds.format_time(&mut writer)?;
        write!(writer, r#"","level":"{}","module":"#, metadata.level())?;
        write!(writer, "{}", Value::from(module.strip_prefix(OWN).unwrap_or(module)))?;
        write!(writer, r#","message":{}"#, Value::from(fields.message))?;
        for (name, value) in fields.others {
            write!(writer, ",{}:{value}", Value::from(name))?;
        }
        writeln!(writer, "}}")
    }
}

/// What an event and its spans carry.
#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(String, Value)>,
}

impl Fields {
    /// Names that the line has itself.
    const RESERVED: [&'static str; 4] = ["time", "level", "module", "message"];

    fn add(&mut self, name: &str, value: Value) {
        let name = if Self::RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() };
        if !self.others.iter().any(|(other, _)| *other == name) {
            self.others.push((name, value));
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field.name(), Value::from(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.add(field.name(), Value::from(value));
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field.name(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field.name(), Value::from(value));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

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

    /// The lines that `events` logs.
    fn lines(modules: &[(&str, LevelFilter)], events: impl FnOnce()) -> Vec<serde_json::Map<String, Value>> {
        let modules: BTreeMap<_, _> =
            modules.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let config = LogConfig { format: LogFormat::Json, level: LevelFilter::INFO, modules };
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = json_lines(&config, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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
}
