//! Names of files with letters: `2026-02-17.jsonl`, `2026-02-17.2.jsonl`, `2026-02-17.given-up.jsonl`.

use std::fmt;
use std::path::Path;

/// Marks files with what outputs gave up.
const GIVEN_UP: &str = "given-up";

/// What a name says. The order is by age.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileName {
    /// The day of receipt.
    pub(super) day: String,
    /// Whether it holds what outputs gave up.
    pub(super) given_up: bool,
    /// Files of a day are counted from 1; a new one is begun when the one before is long.
    pub(super) part: u32,
}

impl FileName {
    /// `None` where the file is none with letters.
    pub(super) fn parse(path: &Path) -> Option<Self> {
        let mut words = path.file_name()?.to_str()?.strip_suffix(".jsonl")?.split('.').peekable();
        let day = words.next()?.to_owned();
        let given_up = words.next_if_eq(&GIVEN_UP).is_some();
        let part = words.next().map_or(Some(1), |part| part.parse().ok())?;
        words.next().is_none().then_some(Self { day, given_up, part })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.day)?;
        if self.given_up {
            write!(formatter, ".{GIVEN_UP}")?;
        }
        if self.part > 1 {
            write!(formatter, ".{}", self.part)?;
        }
        formatter.write_str(".jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_ordered_by_age() {
        let names = [
            "2026-02-16.10.jsonl",
            "2026-02-17.jsonl",
            "2026-02-17.2.jsonl",
            "2026-02-17.10.jsonl",
            "2026-02-17.given-up.jsonl",
            "2026-02-17.given-up.2.jsonl",
            "2026-02-18.jsonl",
        ];
        let parsed = names.map(|name| FileName::parse(Path::new(name)).unwrap());
        assert_eq!(parsed.clone().map(|name| name.to_string()), names);
        assert!(parsed.is_sorted());
        for other in
            ["settled.log", "lock", "2026-02-17.jsonl.gz", "2026-02-17.x.jsonl", "2026-02-17.1.2.jsonl"]
        {
            assert_eq!(FileName::parse(Path::new(other)), None, "{other}");
        }
    }
}
