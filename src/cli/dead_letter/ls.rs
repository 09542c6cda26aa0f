//! `hikyaku dead-letter ls`

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use super::segments::Found;
use super::selection::Selection;
use super::{DeadLetterError, left_behind, mention};
use crate::dead_letters::{Letter, Scan, Store};

/// Groups that are counted each on its own; what comes after is one group more.
const MAX_GROUPS: usize = 10_000;

/// Count the letters, and what outputs left behind: how many, how many bytes, from when to when
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hikyaku dead-letter ls
  hikyaku dead-letter ls --by day,reason --json          for scripts
  hikyaku dead-letter ls --output upstream --since 2h")]
pub(super) struct Ls {
    #[command(flatten)]
    selection: Selection,
    /// What to group letters by
    #[arg(
        long,
        value_name = "KEY,...",
        value_delimiter = ',',
        default_value = "reason,output,sender,tag",
        help_heading = "Options"
    )]
    by: Vec<Key>,
    /// Print JSON
    #[arg(long, help_heading = "Options")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Key {
    Reason,
    Output,
    Sender,
    Tag,
    Day,
}

/// By the values of what they are grouped by.
type Groups = BTreeMap<Vec<String>, Group>;

/// Letters that have in common what they are grouped by.
#[derive(Debug)]
struct Group {
    letters: u64,
    bytes: u64,
    first: jiff::Timestamp,
    last: jiff::Timestamp,
}

impl Ls {
    pub(super) fn execute(self, data_dir: &Path) -> Result<ExitCode, DeadLetterError> {
        let (groups, scan) = self.groups(data_dir)?;
        let left_behind = Found::touched(data_dir, &self.selection)?;
        let mut out = io::stdout().lock();
        if self.json {
            print_json(&mut out, &self.by, &groups, &left_behind)?;
        } else {
            if !groups.is_empty() || left_behind.segments.is_empty() {
                print_text(&mut out, &self.by, &groups)?;
            }
            if !groups.is_empty() && !left_behind.segments.is_empty() {
                writeln!(out)?;
            }
            left_behind::print_text(&mut out, &left_behind)?;
        }
        mention(&scan);
        Ok(ExitCode::SUCCESS)
    }

    fn groups(&self, data_dir: &Path) -> Result<(Groups, Scan), DeadLetterError> {
        let mut groups = Groups::new();
        if !self.selection.takes_letters() {
            return Ok((groups, Scan::default()));
        }
        let (scan, _) = Store::new(data_dir).read(&self.selection.filter(), |_, letter, line| {
            let mut names: Vec<_> = self.by.iter().map(|key| key.of(&letter)).collect();
            if groups.len() >= MAX_GROUPS && !groups.contains_key(&names) {
                names.fill("(other)".to_owned());
            }
            let (at, bytes) = (letter.received_at, line.len() as u64 + 1);
            let group = groups.entry(names).or_insert(Group { letters: 0, bytes: 0, first: at, last: at });
            group.letters += 1;
            group.bytes += bytes;
            group.first = group.first.min(at);
            group.last = group.last.max(at);
            ControlFlow::<()>::Continue(())
        })?;
        Ok((groups, scan))
    }
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Reason => "reason",
            Self::Output => "output",
            Self::Sender => "sender",
            Self::Tag => "tag",
            Self::Day => "day",
        }
    }

    fn of(self, letter: &Letter) -> String {
        match self {
            Self::Reason => letter.reason.clone(),
            Self::Output => letter.output.clone().unwrap_or_else(|| "-".to_owned()),
            Self::Sender => letter.sender.clone(),
            Self::Tag => letter.tag.clone(),
            Self::Day => letter.day(),
        }
    }
}

fn print_json(out: &mut impl Write, by: &[Key], groups: &Groups, left_behind: &Found) -> io::Result<()> {
    let rows: Vec<_> = groups
        .iter()
        .map(|(names, group)| {
            let mut row = serde_json::json!({
                "letters": group.letters,
                "bytes": group.bytes,
                "first_received_at": format!("{:.9}", group.first),
                "last_received_at": format!("{:.9}", group.last),
            });
            for (key, name) in by.iter().zip(names) {
                row[key.name()] = name.as_str().into();
            }
            row
        })
        .collect();
    let letters: u64 = groups.values().map(|group| group.letters).sum();
    let bytes: u64 = groups.values().map(|group| group.bytes).sum();
    let left_behind = left_behind::json(left_behind);
    let answer =
        serde_json::json!({ "letters": letters, "bytes": bytes, "groups": rows, "left_behind": left_behind });
    writeln!(out, "{answer}")
}

fn print_text(out: &mut impl Write, by: &[Key], groups: &Groups) -> io::Result<()> {
    if groups.is_empty() {
        return writeln!(out, "no dead letters");
    }
    let widths: Vec<_> = (by.iter().enumerate())
        .map(|(column, key)| {
            let names = groups.keys().map(|names| shown(&names[column]).chars().count());
            names.chain([key.name().len()]).max().unwrap_or_default()
        })
        .collect();
    write!(out, "{:>9}  {:>12}  {:20}  {:20}", "LETTERS", "BYTES", "FIRST RECEIVED", "LAST RECEIVED")?;
    for (key, width) in by.iter().zip(&widths) {
        write!(out, "  {:width$}", key.name().to_uppercase())?;
    }
    writeln!(out)?;
    for (names, group) in groups {
        let Group { letters, bytes, first, last } = group;
        write!(out, "{letters:>9}  {bytes:>12}  {first:.0}  {last:.0}")?;
        for (name, width) in names.iter().zip(&widths) {
            write!(out, "  {:width$}", shown(name))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// What a sender wrote must not reach a terminal as it is.
fn shown(name: &str) -> String {
    name.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
