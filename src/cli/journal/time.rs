//! Times as people type them.

use std::time::Duration;

use crate::config::parse_time;
use crate::event_time::EventTime;

/// Parses `2026-11-21T09:30:00Z`, or a time before now: `2h`, `2h ago`, `30m`, `7d`, `now`.
pub(super) fn parse_point(text: &str, now: EventTime) -> Result<EventTime, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        let seconds = timestamp.as_second() - i64::from(timestamp.subsec_nanosecond() < 0);
        let nanoseconds = timestamp.as_nanosecond().rem_euclid(1_000_000_000) as u32;
        return EventTime::new(seconds, nanoseconds).ok_or_else(|| format!("{text:?} is out of range"));
    }
    let ago = text.strip_suffix("ago").map_or(text, str::trim_end);
    let expected =
        "expected a time as 2026-11-21T09:30:00Z (with Z or an offset), or how long ago: 2h, 30m, 7d";
    let ago: Duration = parse_time(ago).map_err(|_| format!("{text:?}: {expected}"))?;
    let nanoseconds = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
    Ok(EventTime::from_unix_nanoseconds(now.unix_nanoseconds().saturating_sub(nanoseconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000_000_000;

    fn parse(text: &str) -> Result<i64, String> {
        parse_point(text, EventTime::from_unix_nanoseconds(NOW)).map(EventTime::unix_nanoseconds)
    }

    #[test]
    fn points_in_time_and_times_ago_are_understood() {
        let hour = 3_600_000_000_000;
        for (text, expected) in [
            ("now", NOW),
            ("2h", NOW - 2 * hour),
            ("2h ago", NOW - 2 * hour),
            (" 90m ago ", NOW - hour * 3 / 2),
            ("2025-10-09T08:53:20Z", NOW),
            ("2025-10-09T10:53:20.5+02:00", NOW + 500_000_000),
            ("1969-12-31T23:59:59.5Z", -500_000_000),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_says_what_is_expected() {
        for text in ["", "yesterday", "2h later", "2025-10-09", "2025-10-09T08:53:20", "-2h", "2 fortnights"]
        {
            assert!(parse(text).unwrap_err().contains("2026-11-21T09:30:00Z"), "{text}");
        }
    }
}
