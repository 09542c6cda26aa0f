//! Which files of an output a replay would write again.

use std::io::Write;
use std::path::Path;

use super::{JournalError, progress_bar};
use crate::cli::counted::counted;
use crate::config::Config;
use crate::journal::Position;
use crate::journal::inspect::{InspectError, Inspection};
use crate::journal::replay::Found;
use crate::output::file::FilePreview;
use crate::storage::disk;

/// What is known of the files.
#[derive(Debug)]
pub(super) enum Files {
    /// The output writes none.
    None,
    /// Nobody can say without the configuration.
    Unknown(String),
    Known(Vec<ReplayedFile>),
}

/// A file that gets lines once more.
#[derive(Debug)]
pub(super) struct ReplayedFile {
    path: String,
    lines: u64,
    /// Whether it is where the lines go, and will have them twice.
    is_there: bool,
}

impl Files {
    /// Runs the chunks that an output has delivered, up to where it is, through the configuration as it is now.
    pub(super) fn find(
        data_dir: &Path,
        config: &Path,
        output: &str,
        found: &Found,
        delivered: Position,
    ) -> Result<Self, JournalError> {
        let config = match Config::load(config) {
            Ok(config) => config,
            Err(errors) => return Ok(Self::Unknown(errors.to_string())),
        };
        if config.outputs.iter().all(|known| known.id != output) {
            return Ok(Self::Unknown(format!("{output} is not in the configuration")));
        }
        let Some(mut preview) = FilePreview::new(&config, output) else { return Ok(Self::None) };
        let inspection = Inspection::new(data_dir);
        let range = found.from..found.until.min(delivered);
        let segments = inspection.segments()?;
        let bar = progress_bar(segments.len() as u64);
        for segment in segments {
            bar.inc(1);
            if !(range.start.segment..=range.end.segment).contains(&segment) {
                continue;
            }
            let visited = inspection.stored_chunks(segment, |chunk| {
                if range.contains(&chunk.position)
                    && let Err(error) = preview.take(&chunk)
                {
                    tracing::warn!(position = %chunk.position, %error, "a chunk does not inflate");
                }
                chunk.position < range.end
            });
            visited.or_else(InspectError::unless_gone)?;
        }
        bar.finish_and_clear();
        let mut files = Vec::new();
        for (path, lines) in preview.files() {
            let is_there = disk().stat(path)?.is_some();
            files.push(ReplayedFile { path: path.display().to_string(), lines: *lines, is_there });
        }
        Ok(Self::Known(files))
    }

    /// Adds to an answer for scripts; with `names` each file.
    pub(super) fn add_to(&self, answer: &mut serde_json::Value, names: bool) {
        match self {
            Self::None => {}
            Self::Unknown(_) => answer["files"] = serde_json::Value::Null,
            Self::Known(files) => {
                answer["files"] = files.len().into();
                answer["files_that_are_there"] = files.iter().filter(|file| file.is_there).count().into();
                answer["lines"] = files.iter().map(|file| file.lines).sum::<u64>().into();
                if names {
                    let file = |file: &ReplayedFile| serde_json::json!({ "path": file.path, "lines": file.lines, "is_there": file.is_there });
                    answer["file_names"] = files.iter().map(file).collect::<Vec<_>>().into();
                }
            }
        }
    }

    /// Says it to people; with `names` each file on a line.
    pub(super) fn write(&self, out: &mut impl Write, names: bool) -> std::io::Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Unknown(reason) => {
                writeln!(out, "which files that would be nobody can say without the configuration: {reason}")
            }
            Self::Known(files) => {
                let there = files.iter().filter(|file| file.is_there).count();
                let lines: u64 = files.iter().map(|file| file.lines).sum();
                let (lines, count) = (counted(lines, "line"), counted(files.len(), "file"));
                writeln!(out, "{lines} in {count}, {there} of which there already, to get them once more")?;
                for file in files.iter().filter(|_| names) {
                    let state = if file.is_there { "is there" } else { "new" };
                    writeln!(out, "{}  {}, {state}", file.path, counted(file.lines, "line"))?;
                }
                Ok(())
            }
        }
    }
}
