//! A compiled program, and one run of it.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::ExternalEnv;
use vrl::compiler::{CompileConfig, ProgramInfo, TimeZone, compile_with_external};
use vrl::diagnostic::Diagnostic;
use vrl::path::{OwnedSegment, OwnedTargetPath, OwnedValuePath, PathPrefix};
use vrl::value::kind::Collection;
use vrl::value::{KeyString, Kind, Value};

use super::check::check;
use super::metadata;
use super::target::{EventTarget, Touched, WriteScratch};
use super::value::event_time;
use crate::event_time::EventTime;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::filter::{Draft, MAX_TAG};
use crate::pipeline::template::SyntaxError;

/// How many expressions one run may evaluate. Counted, not timed, so that every run ends at the same place.
pub const MAX_STEPS: usize = 1_000_000;

/// A program that was compiled and found to be a pure function of the event.
#[derive(Clone)]
pub struct Program {
    shared: Arc<Shared>,
}

struct Shared {
    source: String,
    program: vrl::compiler::Program,
    timezone: TimeZone,
    touched: Touched,
    gives_tag: bool,
    gives_time: bool,
}

/// Memory of runs, from event to event.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct RemapScratch {
    runtime: Runtime,
    write: WriteScratch,
}

/// How a run ended. But for the first two the event is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) enum Outcome {
    Done,
    /// The event has a new tag, which is in `tag`.
    Retagged,
    /// `abort`, with its message.
    Aborted(String),
    Failed(String),
}

impl Program {
    /// Compiles.
    ///
    /// # Errors
    ///
    /// Every mistake that VRL finds, in its own words, and what would make the result depend on more than the event.
    pub fn compile(source: &str) -> Result<Self, Vec<SyntaxError>> {
        // What does not even parse the compiler reports below.
        if let Ok(parsed) = vrl::parser::parse(source) {
            let mistakes = check(parsed);
            if !mistakes.is_empty() {
                return Err(mistakes);
            }
        }
        let names = metadata::NAMES.iter().map(|name| ((*name).into(), metadata::kind(name)));
        let metadata_kind = Kind::object(Collection::from_parts(names.collect(), Kind::undefined()));
        let external = ExternalEnv::new_with_kind(Kind::object(Collection::any()), metadata_kind);
        let mut config = CompileConfig::default();
        for name in metadata::NAMES.iter().filter(|name| !metadata::WRITABLE.contains(name)) {
            let path = OwnedTargetPath::metadata(OwnedValuePath::single_field(name));
            config.set_read_only_path(path, true);
        }
        let compiled = compile_with_external(source, &vrl::stdlib::all(), &external, config);
        let program = match compiled {
            Ok(compiled) => compiled.program,
            Err(diagnostics) => {
                return Err(diagnostics
                    .iter()
                    .filter(|it| it.is_problem())
                    .map(|it| explain(it, source))
                    .collect());
            }
        };
        let info = program.info();
        let touched = Touched { fields: touched_fields(info), metadata: touched_metadata(info, source)? };
        let gives = |name: &str| info.target_assignments.iter().any(|path| is_metadata(path, name));
        let (gives_tag, gives_time) = (gives("tag"), gives("time"));
        let timezone = TimeZone::parse("UTC").unwrap_or_default();
        let source = source.to_owned();
        Ok(Self { shared: Arc::new(Shared { source, program, timezone, touched, gives_tag, gives_time }) })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.shared.source
    }

    /// Whether events may leave it with another tag.
    pub fn retags(&self) -> bool {
        self.shared.gives_tag
    }

    /// Runs it on one event.
    pub(in crate::pipeline) fn run(
        &self,
        draft: &mut Draft<'_>,
        scratch: &mut RemapScratch,
        tag: &mut Vec<u8>,
    ) -> Outcome {
        let Shared { program, timezone, touched, gives_tag, gives_time, .. } = &*self.shared;
        let mut target = EventTarget::new(touched, draft.record.fields(), &draft.context);
        let mut steps = 0usize;
        let mut control = || {
            steps += 1;
            if steps > MAX_STEPS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        scratch.runtime.clear();
        // An interpreter with two hundred functions: should one of them panic, that is one event's failure.
        let runtime = &mut scratch.runtime;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            runtime.resolve_with_control(&mut target, program, timezone, &mut control)
        }));
        match ended {
            Ok(Ok(_)) => {}
            Ok(Err(Terminate::Abort(abort))) => return Outcome::Aborted(abort.to_string()),
            Ok(Err(Terminate::Error(error))) => return Outcome::Failed(error.to_string()),
            Ok(Err(Terminate::Interrupted)) => {
                return Outcome::Failed(format!("the program takes more than {MAX_STEPS} steps"));
            }
            Err(_) => {
                scratch.runtime = Runtime::default();
                return Outcome::Failed("a function of VRL panicked; please report this".to_owned());
            }
        }
        if let Some(failure) = target.failure() {
            return Outcome::Failed(failure.to_owned());
        }
        let given = (|| {
            let time = if *gives_time { Some(given_time(target.metadata("time"))?) } else { None };
            let is_retagged = *gives_tag && {
                give_tag(target.metadata("tag"), tag)?;
                tag != draft.context.source.tag
            };
            target.write_back(draft, &mut scratch.write).map_err(|error| error.to_string())?;
            Ok((time, is_retagged))
        })();
        match given {
            Ok((time, is_retagged)) => {
                draft.context.time = time.unwrap_or(draft.context.time);
                if is_retagged { Outcome::Retagged } else { Outcome::Done }
            }
            Err(reason) => Outcome::Failed(reason),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Program").field(&self.shared.source).finish()
    }
}

fn given_time(value: Option<&Value>) -> Result<EventTime, String> {
    let time = value.and_then(Value::as_timestamp).and_then(event_time);
    time.ok_or_else(|| "`%time` has to be a timestamp that a calendar knows".to_owned())
}

fn give_tag(value: Option<&Value>, tag: &mut Vec<u8>) -> Result<(), String> {
    let text = value.and_then(Value::as_bytes).filter(|text| (1..=MAX_TAG).contains(&text.len()));
    let text = text.ok_or_else(|| format!("`%tag` has to be text of 1 to {MAX_TAG} bytes"))?;
    tag.clear();
    tag.extend_from_slice(text);
    Ok(())
}

/// The top-level fields that the program can touch; `None` where it asks for the record itself.
fn touched_fields(info: &ProgramInfo) -> Option<Vec<(KeyString, FieldPath)>> {
    let mut fields: Vec<(KeyString, FieldPath)> = Vec::new();
    let paths = info.target_queries.iter().chain(&info.target_assignments);
    for path in paths.filter(|path| path.prefix == PathPrefix::Event) {
        let Some(OwnedSegment::Field(name)) = path.path.segments.first() else { return None };
        if fields.iter().all(|(known, _)| known != name) {
            fields.push((name.clone(), field_path(name.as_str())?));
        }
    }
    Some(fields)
}

/// The path of a top-level field, whatever its name.
fn field_path(name: &str) -> Option<FieldPath> {
    let escaped: String = name.chars().flat_map(|character| ['\\', character]).collect();
    FieldPath::parse(&escaped).ok()
}

fn touched_metadata(info: &ProgramInfo, source: &str) -> Result<Vec<&'static str>, Vec<SyntaxError>> {
    let mut names = Vec::new();
    let is_metadata = |path: &&OwnedTargetPath| path.prefix == PathPrefix::Metadata;
    for path in info.target_queries.iter().chain(&info.target_assignments).filter(is_metadata) {
        match path.path.segments.first() {
            None => names.extend(metadata::NAMES),
            Some(segment) => {
                let known = metadata::NAMES.iter().find(|name| *segment == OwnedSegment::field(name));
                names.push(*known.ok_or_else(|| vec![unknown_metadata(path, source)])?);
            }
        }
    }
    let is_part = |path: &&OwnedTargetPath| is_metadata(path) && path.path.segments.len() > 1;
    if let Some(part) = info.target_assignments.iter().find(is_part) {
        let message = "`%tag` is text and `%time` a timestamp: they have no parts to write to";
        return Err(vec![SyntaxError { at: place(part, source), message: message.to_owned() }]);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

fn is_metadata(path: &OwnedTargetPath, name: &str) -> bool {
    path.prefix == PathPrefix::Metadata && path.path.segments.first() == Some(&OwnedSegment::field(name))
}

fn unknown_metadata(path: &OwnedTargetPath, source: &str) -> SyntaxError {
    let known: Vec<_> = metadata::NAMES.iter().map(|name| format!("`%{name}`")).collect();
    let message = format!("`{path}` is unknown: there are {}", known.join(", "));
    SyntaxError { at: place(path, source), message }
}

/// Where a path stands, as far as its text tells.
fn place(path: &OwnedTargetPath, source: &str) -> std::ops::Range<usize> {
    let text = path.to_string();
    source.find(&text).map_or(0..source.len(), |start| start..start + text.len())
}

/// A mistake in VRL's own words, without the addresses of its documentation.
fn explain(diagnostic: &Diagnostic, source: &str) -> SyntaxError {
    let labels = diagnostic.labels();
    let primary = labels.iter().find(|label| label.primary).or(labels.first());
    let at = primary.map_or(0..source.len(), |label| {
        label.span.start().min(source.len())..label.span.end().min(source.len())
    });
    let labels = labels.iter().map(|label| label.message.clone());
    let notes = diagnostic.notes().iter().map(ToString::to_string);
    let notes = notes.filter(|note| !note.starts_with("see ") && !note.trim().is_empty());
    let mut message = format!("VRL E{:03}: {}", diagnostic.code, diagnostic.message);
    for text in labels.chain(notes).filter(|text| *text != diagnostic.message) {
        message.push_str("; ");
        message.push_str(text.trim());
    }
    SyntaxError { at, message }
}
