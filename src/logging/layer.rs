//! From events to lines on standard output.

use std::fmt;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::counters;
use super::fields::Fields;
use super::fold::Fold;
use super::line::{Format, Line};

/// How often it is looked whether a window is over.
const LOOK: Duration = Duration::from_secs(1);

/// Writes a line for each event that does not repeat another one.
#[derive(Debug)]
pub(super) struct LogLines {
    sink: Arc<Sink>,
}

struct Sink {
    format: Format,
    state: Mutex<State>,
}

struct State {
    fold: Fold,
    writer: Box<dyn Write + Send>,
}

impl LogLines {
    pub(super) fn new(format: Format, window: Duration, writer: Box<dyn Write + Send>) -> Self {
        let state = Mutex::new(State { fold: Fold::new(window), writer });
        Self { sink: Arc::new(Sink { format, state }) }
    }

    /// Tells in time what was folded, as long as it lives.
    pub(super) fn guard(&self) -> LogGuard {
        let sink = self.sink.clone();
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new().name("log".to_owned());
        // Without it, what was folded is told with the next line.
        let thread = thread.spawn(move || tell_in_time(&sink, &stopped)).ok();
        LogGuard { sink: self.sink.clone(), stop: Some(stop), thread }
    }
}

impl<S> Layer<S> for LogLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        // The innermost first, which counts where two have the same name.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                of_span.others.iter().for_each(|(name, value)| fields.add(name, value.clone()));
            }
        }
        self.sink.take(&Line::new(event.metadata(), fields), Instant::now());
    }
}

impl Sink {
    fn take(&self, line: &Line, now: Instant) {
        let mut state = self.lock();
        let due = state.fold.due(now);
        due.iter().for_each(|line| self.write(&mut state, line));
        if state.fold.admit(line, now) {
            self.write(&mut state, line);
        } else {
            counters::folded();
        }
    }

    /// Nobody is left to be told that standard output is closed.
    fn write(&self, state: &mut State, line: &Line) {
        counters::written(line.level);
        let rendered = line.render(self.format, jiff::Timestamp::now());
        let _ = state.writer.write_all(rendered.as_bytes()).and_then(|()| state.writer.flush());
    }

    fn tell(&self, lines: impl FnOnce(&mut Fold) -> Vec<Line>) {
        let mut state = self.lock();
        let lines = lines(&mut state.fold);
        lines.iter().for_each(|line| self.write(&mut state, line));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell_in_time(sink: &Sink, stopped: &Receiver<()>) {
    while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        sink.tell(|fold| fold.due(Instant::now()));
    }
}

/// Keeps the log complete: dropped, it writes what was folded and not told yet.
#[must_use]
#[derive(Debug)]
pub struct LogGuard {
    sink: Arc<Sink>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // The thread ends when nobody can stop it any more.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It has no more to tell, whichever way it ended.
            let _ = thread.join();
        }
        self.sink.tell(Fold::rest);
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("format", &self.format).finish_non_exhaustive()
    }
}
