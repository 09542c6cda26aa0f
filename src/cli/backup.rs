//! `hikyaku backup`

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::exit_code;
use super::journal::is_sound;
use crate::backup::{Backup, BackupError, BackupReport};
use crate::cli::counted::counted;
use crate::config::{Config, OutputKind};

/// Copy the data folder as it is at one moment, also while the server runs, and archive files with it
///
/// A server that is started with the copy goes on as after a crash at that moment. With --with-archive the copied archive
/// files end exactly where the copied cursors are, so that together they lose nothing and double nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    hikyaku backup /backup/today                      the data folder\n  \
    hikyaku backup /backup/today --with-archive       and the files of all outputs\n  \
    hikyaku backup /backup/today --archive-of access  and those of one output\n\n\
    Restore: put /backup/today/data in the place of data_dir, and what lies in /backup/today/archive below /.\n\
    Exit codes: 0 there is a backup and it is sound, 1 there is none, 2 wrong arguments, 78 wrong configuration.")]
pub(super) struct Arguments {
    /// A folder that is new or empty
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// Copy the archive files of all file outputs as well
    #[arg(long)]
    with_archive: bool,
    /// Copy the archive files of this output as well; may be repeated
    #[arg(long, value_name = "ID", conflicts_with = "with_archive")]
    archive_of: Vec<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// The data folder [default: server.data_dir of the configuration]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The configuration that names the data folder and the outputs
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
}

/// There is no backup.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}\nName a configuration with -c, or only the data folder with --data-dir")]
    Config(crate::config::ConfigErrors),
    #[error("there is no journal in {}: name the data folder with --data-dir", .0.display())]
    NoJournal(PathBuf),
    #[error("there is no output of files with the id {0:?} in the configuration")]
    UnknownOutput(String),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("the copy cannot be checked: {0}")]
    Check(String),
    #[error(
        "the copy in {} is damaged: see hikyaku journal verify --data-dir {}, and whether the journal itself is sound",
        .0.display(), .0.display()
    )]
    Damaged(PathBuf),
    #[error("cannot write the answer: {0}")]
    Write(#[from] io::Error),
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        match self.back_up() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let is_configuration = matches!(error, CommandError::Config(_));
                super::complain(error);
                if is_configuration { ExitCode::from(exit_code::CONFIGURATION) } else { ExitCode::FAILURE }
            }
        }
    }

    fn back_up(&self) -> Result<(), CommandError> {
        let (data_dir, archives) = self.sources()?;
        if !data_dir.join("journal").is_dir() {
            return Err(CommandError::NoJournal(data_dir));
        }
        let backup = Backup::new(&data_dir, &self.target, archives)?;
        let bar = progress();
        let report = backup.run(|bytes| bar.inc(bytes))?;
        bar.finish_and_clear();
        let copy = backup.data_dir();
        if !is_sound(&copy).map_err(CommandError::Check)? {
            return Err(CommandError::Damaged(copy));
        }
        self.say(&report)?;
        Ok(())
    }

    /// The data folder, and the folders of archive files.
    fn sources(&self) -> Result<(PathBuf, Vec<PathBuf>), CommandError> {
        let needs_outputs = self.with_archive || !self.archive_of.is_empty();
        if let Some(data_dir) = self.data_dir.as_ref().filter(|_| !needs_outputs) {
            return Ok((data_dir.clone(), Vec::new()));
        }
        let config = Config::load(&self.config).map_err(CommandError::Config)?;
        let mut archives: Vec<PathBuf> = Vec::new();
        let is_of_files = |id: &String| {
            config.outputs.iter().any(|output| output.id == *id && matches!(output.kind, OutputKind::File(_)))
        };
        if let Some(unknown) = self.archive_of.iter().find(|id| !is_of_files(id)) {
            return Err(CommandError::UnknownOutput(unknown.clone()));
        }
        for output in &config.outputs {
            if let OutputKind::File(file) = &output.kind
                && (self.with_archive || self.archive_of.contains(&output.id))
            {
                archives.push(file.path.root());
            }
        }
        // One that lies in another is copied with that.
        archives.sort_unstable();
        archives.dedup_by(|one, before| one.starts_with(before));
        Ok((self.data_dir.clone().unwrap_or(config.server.data_dir), archives))
    }

    fn say(&self, report: &BackupReport) -> io::Result<()> {
        let BackupReport { segments, archive_files, archive_bytes, cut_files, passes } = report;
        let mut out = io::stdout().lock();
        if self.json {
            let answer = serde_json::json!({
                "target": self.target.display().to_string(),
                "segments": segments,
                "files": archive_files,
                "file_bytes": archive_bytes,
                "cut_files": cut_files,
                "passes": passes,
            });
            return writeln!(out, "{answer}");
        }
        let target = Path::display(&self.target);
        writeln!(
            out,
            "{target}: {}; {} of archives and dead letters, {}. {} had lines from after the last checkpoint, which the restored server writes",
            counted(*segments, "segment"),
            counted(*archive_files, "file"),
            counted(*archive_bytes, "byte"),
            counted(*cut_files, "file"),
        )
    }
}

/// Bytes of archive files, on a terminal.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {bytes} of archive files copied, {bytes_per_sec}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}
