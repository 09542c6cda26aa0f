//! The options that say which letters are meant.

use crate::config::parse_time;
use crate::dead_letters::{Filter, LetterId};
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::pipeline::tag_pattern::TagPatterns;

/// All that are given must hold.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Which letters (all of these must hold)")]
pub(super) struct Selection {
    /// Only this one, by what `cat` prints as `letter`; may be given several times
    #[arg(long = "letter", value_name = "ID", value_parser = |text: &str| text.parse::<LetterId>())]
    letters: Vec<LetterId>,
    /// Only this segment that an output left behind, by its number in `ls --json`; may be given several times
    #[arg(long = "segment", value_name = "N", conflicts_with_all = ["letters", "reason"])]
    pub(super) segments: Vec<u64>,
    /// Only with this in the reason
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only with this in the sender's identity
    #[arg(long, value_name = "TEXT")]
    pub(super) sender: Option<String>,
    /// Only tags that match, as nginx.**
    #[arg(long, value_name = "PATTERN", value_parser = tags)]
    pub(super) tag: Option<TagPatterns>,
    /// Only what this output gave up or left behind
    #[arg(long, value_name = "ID")]
    pub(super) output: Option<String>,
    /// Only received then or later: 2026-02-17, 2026-02-17T01:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) since: Option<jiff::Timestamp>,
    /// Only received before: 2026-02-17, 2026-02-17T01:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) until: Option<jiff::Timestamp>,
}

impl Selection {
    /// The letters among them.
    pub(super) fn filter(&self) -> Filter {
        let Self { letters: ids, segments: _, reason, sender, tag: tags, output, since, until } =
            self.clone();
        Filter { ids: ids.into_iter().collect(), reason, sender, tags, output, since, until }
    }

    /// Whether letters are meant, and not certain segments only.
    pub(super) fn takes_letters(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether only letters can be meant: what was left behind has neither a reason nor an id of that kind.
    pub(super) fn is_about_letters(&self) -> bool {
        !self.letters.is_empty() || self.reason.is_some()
    }

    /// Whether it looks at what a segment holds of several kinds.
    pub(super) fn is_about_contents(&self) -> bool {
        self.sender.is_some() || self.tag.is_some()
    }

    pub(super) fn has_times(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether a chunk of a segment is meant.
    pub(super) fn takes_chunk(&self, chunk: &ChunkPayload) -> bool {
        let received_at = chunk.received_at().timestamp();
        self.sender.as_ref().is_none_or(|part| chunk.sender().contains(part.as_str()))
            && self.tag.as_ref().is_none_or(|tags| tags.matches(&String::from_utf8_lossy(chunk.tag())))
            && self.since.is_none_or(|since| received_at >= since)
            && self.until.is_none_or(|until| received_at < until)
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
