//! Lines that repeat: the first one is written, and later how often there was another.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::line::Line;

/// Different lines that are watched at one time; while there are more, others are written each time.
pub(super) const MAX_WATCHED_LINES: usize = 1_000;

/// Fields that differ from one repetition to the next.
const VARYING: [&str; 5] = ["wait_seconds", "seconds", "events", "events_before", "folded"];

/// What was written lately. It has no clock: time comes in as an argument.
#[derive(Debug)]
pub(super) struct Fold {
    window: Duration,
    hashes: RandomState,
    watched: HashMap<u64, Watched>,
}

/// A line that was written.
#[derive(Debug)]
struct Watched {
    since: Instant,
    line: Line,
    repeats: u64,
}

impl Fold {
    /// A `window` of zero folds nothing.
    pub(super) fn new(window: Duration) -> Self {
        Self { window, hashes: RandomState::new(), watched: HashMap::new() }
    }

    /// Whether a line is to be written. Warnings and errors fold; what is less important is written once for each thing
    /// that happened, or was asked for.
    pub(super) fn admit(&mut self, line: &Line, now: Instant) -> bool {
        if self.window.is_zero() || !matches!(line.level, "WARN" | "ERROR") {
            return true;
        }
        let key = self.key(line);
        if let Some(watched) = self.watched.get_mut(&key) {
            watched.repeats += 1;
            return false;
        }
        if self.watched.len() < MAX_WATCHED_LINES {
            self.watched.insert(key, Watched { since: now, line: line.clone(), repeats: 0 });
        }
        true
    }

    /// What is to be told about lines whose window is over. To be asked before each line, and now and then.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Line> {
        let window = self.window;
        self.take(|watched| now.duration_since(watched.since) >= window)
    }

    /// What is still to be told.
    pub(super) fn rest(&mut self) -> Vec<Line> {
        self.take(|_| true)
    }

    fn take(&mut self, is_over: impl Fn(&Watched) -> bool) -> Vec<Line> {
        let mut lines: Vec<_> = self.watched.extract_if(|_, watched| is_over(watched)).collect();
        lines.retain(|(_, watched)| watched.repeats > 0);
        lines.sort_by_key(|(_, watched)| watched.since);
        let seconds = self.window.as_secs_f64();
        lines.into_iter().map(|(_, Watched { line, repeats, .. })| summary(line, repeats, seconds)).collect()
    }

    /// Where the line comes from, its message but for numbers, and its fields but for those that vary.
    fn key(&self, line: &Line) -> u64 {
        let mut hasher = self.hashes.build_hasher();
        (line.level, &line.module).hash(&mut hasher);
        hash_without_numbers(&line.message, &mut hasher);
        for (name, value) in line.fields.iter().filter(|(name, _)| !VARYING.contains(&name.as_str())) {
            name.hash(&mut hasher);
            match value {
                // Each connection has another port.
                Value::String(text) if name == "peer" => match text.parse::<SocketAddr>() {
                    Ok(peer) => peer.ip().hash(&mut hasher),
                    Err(_) => text.hash(&mut hasher),
                },
                Value::String(text) if name == "error" => hash_without_numbers(text, &mut hasher),
                Value::String(text) => text.hash(&mut hasher),
                value => value.to_string().hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

fn hash_without_numbers(text: &str, hasher: &mut impl std::hash::Hasher) {
    for part in text.split(|character: char| character.is_ascii_digit()).filter(|part| !part.is_empty()) {
        part.hash(hasher);
    }
}

fn summary(line: Line, repeats: u64, seconds: f64) -> Line {
    let times = if repeats == 1 { "once more".to_owned() } else { format!("{repeats} more times") };
    let message = format!("repeated {times} in the last {seconds}s: {}", line.message);
    let varies = |name: &str| VARYING.contains(&name);
    let kept = line.fields.into_iter().filter(|(name, _)| !varies(name));
    let fields = kept.chain([("repeated".to_owned(), Value::from(repeats))]).collect();
    Line { message, fields, ..line }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn line(level: &'static str, message: &str, fields: &[(&str, Value)]) -> Line {
        Line {
            level,
            module: "input".to_owned(),
            message: message.to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }
    }

    fn refused(peer: &str, sender: &str, events: u64) -> Line {
        let fields = [("peer", peer.into()), ("sender", sender.into()), ("events", events.into())];
        line("WARN", &format!("refused {events} bytes"), &fields)
    }

    #[test]
    fn a_line_is_written_once_a_window_and_then_how_often_it_came() {
        let mut fold = Fold::new(WINDOW);
        let start = Instant::now();
        let admitted = |fold: &mut Fold| {
            (0..100).filter(|n| fold.admit(&refused(&format!("192.0.2.7:{n}"), "a", *n), start)).count()
        };
        assert_eq!(admitted(&mut fold), 1);
        assert!(fold.due(start + WINDOW - Duration::from_millis(1)).is_empty());
        let [told] = &fold.due(start + WINDOW)[..] else { panic!() };
        assert_eq!(told.message, "repeated 99 more times in the last 10s: refused 0 bytes");
        assert_eq!((told.level, told.module.as_str()), ("WARN", "input"));
        let fields: Vec<_> = told.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(fields, ["peer=\"192.0.2.7:0\"", "sender=\"a\"", "repeated=99"]);
        assert_eq!(admitted(&mut fold), 1, "the next window has a line of its own");
        assert_eq!(fold.rest().len(), 1, "the end tells what is left");
        assert!(fold.rest().is_empty());
    }

    #[test]
    fn lines_about_something_else_do_not_fold() {
        let mut fold = Fold::new(WINDOW);
        let now = Instant::now();
        for other in [
            refused("192.0.2.7:1", "a", 1),
            refused("192.0.2.7:1", "b", 1),
            refused("192.0.2.8:1", "a", 1),
            line("WARN", "refused", &[]),
            line("ERROR", "refused", &[]),
            line("WARN", "refused", &[("path", "/a1".into())]),
            line("WARN", "refused", &[("path", "/a2".into())]),
        ] {
            assert!(fold.admit(&other, now), "{other:?}");
        }
        assert!(!fold.admit(&refused("192.0.2.7:2", "a", 2), now));
        for level in ["FATAL", "INFO", "DEBUG", "TRACE"] {
            assert!(fold.admit(&line(level, "x", &[]), now) && fold.admit(&line(level, "x", &[]), now));
        }
    }

    #[test]
    fn the_lines_that_are_watched_are_bounded_and_nothing_is_lost_past_the_limit() {
        let mut fold = Fold::new(WINDOW);
        let now = Instant::now();
        for sender in 0..MAX_WATCHED_LINES + 10 {
            assert!(fold.admit(&refused("-", &format!("s{sender}"), 1), now));
        }
        assert_eq!(fold.watched.len(), MAX_WATCHED_LINES);
        assert!(!fold.admit(&refused("-", "s0", 1), now));
        assert!(fold.admit(&refused("-", &format!("s{}", MAX_WATCHED_LINES + 9), 1), now));
        assert_eq!(fold.due(now + WINDOW).len(), 1);
        assert!(fold.watched.is_empty());
    }

    #[test]
    fn a_window_of_zero_folds_nothing() {
        let mut fold = Fold::new(Duration::ZERO);
        let now = Instant::now();
        assert!((0..3).all(|_| fold.admit(&refused("-", "a", 1), now)));
    }
}
