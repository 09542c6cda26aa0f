//! Sizes (`"256MiB"`) and times (`"10s"`).

use std::time::Duration;

pub(super) const KIB: u64 = 1024;
pub(super) const MIB: u64 = 1024 * KIB;
pub(super) const GIB: u64 = 1024 * MIB;
pub(super) const TIB: u64 = 1024 * GIB;

/// Largest first.
const SIZES: [(&str, u64); 5] = [("TiB", TIB), ("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1)];

/// In milliseconds, largest first.
const TIMES: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses `256MiB`; `Err` says what is expected.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    const EXPECTED: &str =
        "expected a size such as \"256MiB\" (units KiB, MiB, GiB, TiB) or an integer of bytes";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let factor = SIZES.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let Some(factor) = factor else {
        // MB, mb, M and mib are all meant as MiB here.
        let letter = unit.to_ascii_lowercase().trim_end_matches('b').trim_end_matches('i').to_owned();
        let meant = SIZES.iter().find(|(name, _)| name.to_ascii_lowercase() == format!("{letter}ib"));
        return Err(match meant {
            Some((name, _)) => format!("unknown unit `{unit}`; write \"{number}{name}\""),
            None => EXPECTED.to_owned(),
        });
    };
    number.checked_mul(factor).ok_or_else(|| "the size does not fit into 64 bits".to_owned())
}

/// Parses `10s`; `Err` says what is expected.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a time such as \"10s\" (units ms, s, m, h, d)";
    let (number, unit) = split(text).ok_or(EXPECTED)?;
    let factor = TIMES.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or(EXPECTED)?;
    number.checked_mul(factor).map(Duration::from_millis).ok_or_else(|| "the time is too long".to_owned())
}

/// The shortest exact way to write a size.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES).unwrap_or_else(|| "0".to_owned())
}

/// The shortest exact way to write a time of whole milliseconds.
pub(crate) fn show_time(time: Duration) -> String {
    show(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIMES).unwrap_or_else(|| "0s".to_owned())
}

/// `None` for zero.
fn show(value: u64, units: &[(&str, u64)]) -> Option<String> {
    let (name, factor) = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor))?;
    Some(format!("{}{name}", value / factor))
}

/// Digits and what follows them, which may be separated by spaces.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    Some((text.get(..end)?.parse().ok()?, text.get(end..)?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("0B"), Ok(0));
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("256 MiB"), Ok(268_435_456));
        assert_eq!(parse_size("2GiB"), Ok(2_147_483_648));
        assert_eq!(parse_size("16777215TiB"), Ok(16_777_215 << 40));
    }

    #[test]
    fn a_size_in_another_spelling_is_told_the_right_one() {
        for text in ["256MB", "256mb", "256M", "256m", "256mib"] {
            assert_eq!(parse_size(text).unwrap_err().split("; ").last(), Some("write \"256MiB\""), "{text}");
        }
        for text in ["", "256", "MiB", "-1MiB", "1.5GiB", "256b", "256 pages"] {
            assert!(parse_size(text).unwrap_err().starts_with("expected a size"), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(parse_size("16777216TiB").unwrap_err().contains("64 bits"));
        assert!(parse_size("18446744073709551616B").is_err());
        assert!(parse_time("18446744073709551615d").unwrap_err().contains("too long"));
    }

    #[test]
    fn times_have_units_from_milliseconds_to_days() {
        let seconds = |text: &str| parse_time(text).unwrap().as_secs_f64();
        assert_eq!(seconds("0s"), 0.0);
        assert_eq!(seconds("500ms"), 0.5);
        assert_eq!(seconds("10s"), 10.0);
        assert_eq!(seconds("10m"), 600.0);
        assert_eq!(seconds("1h"), 3_600.0);
        assert_eq!(seconds("30d"), 2_592_000.0);
        for text in ["", "10", "s", "10 seconds", "1h30m", "-1s", "1.5s"] {
            assert!(parse_time(text).unwrap_err().starts_with("expected a time"), "{text}");
        }
    }

    #[test]
    fn values_are_shown_in_the_largest_unit_that_is_exact() {
        assert_eq!(show_size(0), "0");
        assert_eq!(show_size(1_025), "1025B");
        assert_eq!(show_size(3 * MIB), "3MiB");
        assert_eq!(show_time(Duration::ZERO), "0s");
        assert_eq!(show_time(Duration::from_millis(1_500)), "1500ms");
        assert_eq!(show_time(Duration::from_secs(7 * 86_400)), "7d");
    }
}
