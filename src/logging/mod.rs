//! The server's own log: one line an event on standard output, as JSON or as text, and repeated lines folded.
//!
//! An event becomes a `Line` with its fields and those of the spans around it, the
//! `Fold` decides whether it is written, and the counters say how many were.

mod counters;
mod fields;
mod fold;
mod layer;
mod line;

use std::io::{self, IsTerminal as _};

pub(crate) use counters::{folded_total, lines_total};
pub use layer::LogGuard;
use layer::LogLines;
use line::Format;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{LogConfig, LogFormat};

/// Starts the log. What was folded and not told yet is written when the answer is dropped.
///
/// # Errors
/// Where the process has a log already.
pub fn init(config: &LogConfig) -> Result<LogGuard, TryInitError> {
    let terminal = io::stdout().is_terminal();
    let format = match config.format {
        LogFormat::Auto if terminal => Format::Text { colours: true },
        LogFormat::Text => Format::Text { colours: terminal },
        LogFormat::Auto | LogFormat::Json => Format::Json,
    };
    let lines = LogLines::new(format, config.fold, Box::new(io::stdout()));
    let guard = lines.guard();
    tracing_subscriber::registry().with(targets(config)).with(lines).try_init()?;
    Ok(guard)
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

#[cfg(test)]
mod tests;
