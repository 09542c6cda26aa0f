//! The options that say which letters are meant.

use crate::config::parse_time;
use crate::dead_letters::{Filter, LetterId};
use crate::pipeline::tag_pattern::TagPatterns;

/// All that are given must hold.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which letters (all of these must hold)")]
pub(super) struct Selection {
    /// Only this one, by what `cat` prints as `letter`; may be given several times
    #[arg(long = "letter", value_name = "ID", value_parser = |text: &str| text.parse::<LetterId>())]
    letters: Vec<LetterId>,
    /// Only with this in the reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only with this in the sender's identity
    #[arg(long, value_name = "TEXT")]
    sender: Option<String>,
    /// Only tags that match, as nginx.**
    #[arg(long, value_name = "PATTERN", value_parser = tags)]
    tag: Option<TagPatterns>,
    /// Only what this output gave up
    #[arg(long, value_name = "ID")]
    output: Option<String>,
    /// Only received then or later: 2026-02-17, 2026-02-17T01:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<jiff::Timestamp>,
    /// Only received before: 2026-02-17, 2026-02-17T01:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<jiff::Timestamp>,
}

impl Selection {
    pub(super) fn filter(self) -> Filter {
        let Self { letters: ids, reason, sender, tag: tags, output, since, until } = self;
        Filter { ids, reason, sender, tags, output, since, until }
    }
}

fn tags(text: &str) -> Result<TagPatterns, String> {
    TagPatterns::parse(text).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let midnight = day.to_zoned(jiff::tz::TimeZone::UTC);
        return midnight.map(|midnight| midnight.timestamp()).map_err(|error| error.to_string());
    }
    let ago = parse_time(text).ok().and_then(|ago| jiff::Timestamp::now().checked_sub(ago).ok());
    ago.ok_or_else(|| "expected 2026-02-17, 2026-02-17T01:00:00Z, or a time ago such as 2h or 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_days_and_times_ago() {
        assert_eq!(time("2026-02-17T01:00:00Z"), Ok("2026-02-17T01:00:00Z".parse().unwrap()));
        assert_eq!(time("2026-02-17"), Ok("2026-02-17T00:00:00Z".parse().unwrap()));
        let hour_ago = time("1h").unwrap().duration_until(jiff::Timestamp::now()).as_secs();
        assert!((3600..3610).contains(&hour_ago), "{hour_ago}");
        assert!(time("yesterday").is_err() && time("99999999d").is_err());
    }
}
