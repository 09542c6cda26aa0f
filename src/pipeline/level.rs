//! How important an event is: six levels, and what the world calls them.

use crate::config::LevelNumbers;

/// The levels, the most important first.
pub const LEVEL_NAMES: [&str; 6] = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// Bytes of the longest word that is known.
const MAX_WORD: usize = 16;

/// The level of a word, whatever its case.
pub fn level_of_word(word: &[u8]) -> Option<&'static str> {
    let word = word.trim_ascii();
    let mut lower = [0; MAX_WORD];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"fatal" | b"emerg" | b"emergency" | b"panic" | b"alert" | b"crit" | b"critical" | b"f" => "FATAL",
        b"error" | b"err" | b"severe" | b"failure" | b"e" => "ERROR",
        b"warn" | b"warning" | b"w" => "WARN",
        b"info" | b"information" | b"informational" | b"notice" | b"i" | b"n" => "INFO",
        b"debug" | b"fine" | b"d" => "DEBUG",
        b"trace" | b"verbose" | b"finer" | b"finest" | b"silly" | b"t" | b"v" => "TRACE",
        _ => return None,
    })
}

/// The level of a number, by who counts.
pub fn level_of_number(numbers: LevelNumbers, number: i64) -> Option<&'static str> {
    Some(match (numbers, number) {
        // RFC 5424, 6.2.1: emergency, alert and critical; error; warning; notice and informational; debug.
        (LevelNumbers::Syslog, 0..=2) => "FATAL",
        (LevelNumbers::Syslog, 3) => "ERROR",
        (LevelNumbers::Syslog, 4) => "WARN",
        (LevelNumbers::Syslog, 5 | 6) => "INFO",
        (LevelNumbers::Syslog, 7) => "DEBUG",
        (LevelNumbers::Pino, 60..=69) => "FATAL",
        (LevelNumbers::Pino, 50..=59) => "ERROR",
        (LevelNumbers::Pino, 40..=49) => "WARN",
        (LevelNumbers::Pino, 30..=39) => "INFO",
        (LevelNumbers::Pino, 20..=29) => "DEBUG",
        (LevelNumbers::Pino, 0..=19) => "TRACE",
        (LevelNumbers::Python, 50..=59) => "FATAL",
        (LevelNumbers::Python, 40..=49) => "ERROR",
        (LevelNumbers::Python, 30..=39) => "WARN",
        (LevelNumbers::Python, 20..=29) => "INFO",
        (LevelNumbers::Python, 10..=19) => "DEBUG",
        (LevelNumbers::Python, 0..=9) => "TRACE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_its_own_word() {
        for level in LEVEL_NAMES {
            assert_eq!(level_of_word(level.as_bytes()), Some(level));
            assert_eq!(level_of_word(format!(" {} ", level.to_lowercase()).as_bytes()), Some(level));
        }
        assert_eq!(level_of_word(b"Warning"), Some("WARN"));
        for unknown in [&b""[..], b"x", b"errors", b"informational....", "エラー".as_bytes()] {
            assert_eq!(level_of_word(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn numbers_mean_what_their_makers_say() {
        let syslog = (0..9).map(|number| level_of_number(LevelNumbers::Syslog, number).unwrap_or("-"));
        let expected = ["FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG", "-"];
        assert_eq!(syslog.collect::<Vec<_>>(), expected);
        assert_eq!(level_of_number(LevelNumbers::Pino, 30), Some("INFO"));
        assert_eq!(level_of_number(LevelNumbers::Python, 30), Some("WARN"));
        for numbers in [LevelNumbers::Syslog, LevelNumbers::Pino, LevelNumbers::Python] {
            assert_eq!(level_of_number(numbers, -1), None);
            assert_eq!(level_of_number(numbers, i64::MAX), None);
        }
    }
}
