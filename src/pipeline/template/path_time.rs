//! The time in a path: `%Y/%m/%d/%H`.

use std::ops::Range;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::event_time::EventTime;
use crate::pipeline::timestamp::{write_two_digits, write_year};

/// A conversion of the event time, finest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Conversion {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Conversion {
    /// By the letter behind the `%`.
    pub(super) const LETTERS: [(char, Self); 6] = [
        ('Y', Self::Year),
        ('m', Self::Month),
        ('d', Self::Day),
        ('H', Self::Hour),
        ('M', Self::Minute),
        ('S', Self::Second),
    ];

    pub(super) fn write(self, out: &mut Vec<u8>, civil: &DateTime) {
        match self {
            Self::Year => write_year(out, civil),
            Self::Month => write_two_digits(out, civil.month()),
            Self::Day => write_two_digits(out, civil.day()),
            Self::Hour => write_two_digits(out, civil.hour()),
            Self::Minute => write_two_digits(out, civil.minute()),
            Self::Second => write_two_digits(out, civil.second()),
        }
    }

    /// The most bytes that it writes.
    pub(super) fn max_length(self) -> usize {
        if self == Self::Year { "-9999".len() } else { "59".len() }
    }
}

/// The local time of events, worked out once for all the times that give the same path.
#[derive(Debug)]
pub(super) struct LocalTime {
    zone: TimeZone,
    finest: Conversion,
    /// The Unix seconds for which `civil` is right down to the finest conversion.
    valid: Range<i64>,
    civil: DateTime,
}

impl LocalTime {
    pub(super) fn new(zone: TimeZone, finest: Conversion) -> Self {
        Self { zone, finest, valid: 0..0, civil: DateTime::ZERO }
    }

    /// Whether the last time that was asked for gives the same path.
    #[inline]
    pub(super) fn is_worked_out(&self, time: EventTime) -> bool {
        self.valid.contains(&time.seconds())
    }

    #[inline]
    pub(super) fn at(&mut self, time: EventTime) -> &DateTime {
        if !self.is_worked_out(time) {
            self.work_out(time);
        }
        &self.civil
    }

    fn work_out(&mut self, time: EventTime) {
        let timestamp = time.timestamp();
        self.civil = self.zone.to_datetime(timestamp);
        let into_minute = i64::from(self.civil.second());
        let into_hour = i64::from(self.civil.minute()) * 60 + into_minute;
        // A day and more is not worth a longer range: one look a day's hour is rare enough.
        let (before, length) = match self.finest {
            Conversion::Second => (0, 1),
            Conversion::Minute => (into_minute, 60),
            _ => (into_hour, 3600),
        };
        let start = time.seconds() - before;
        self.valid = start..start + length;
        // Zones change their offset in the middle of an hour, too.
        let after = timestamp.checked_add(SignedDuration::from_secs(1)).unwrap_or(Timestamp::MAX);
        if let Some(transition) = self.zone.preceding(after).next() {
            self.valid.start = self.valid.start.max(transition.timestamp().as_second());
        }
        if let Some(transition) = self.zone.following(timestamp).next() {
            self.valid.end = self.valid.end.min(transition.timestamp().as_second());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(local: &mut LocalTime, seconds: i64) -> String {
        let civil = *local.at(EventTime::new(seconds, 0).unwrap());
        let mut out = Vec::new();
        for (_, conversion) in Conversion::LETTERS {
            if conversion <= local.finest {
                conversion.write(&mut out, &civil);
            }
        }
        String::from_utf8(out).unwrap()
    }

    /// Dublin in 1916, Lord Howe's half hours, Liberia until 1972, Nepal: zones that are no whole hours.
    #[test]
    fn a_remembered_range_gives_the_same_as_a_fresh_look() {
        for zone in
            ["UTC", "Asia/Tokyo", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Monrovia", "Asia/Kathmandu"]
        {
            let zone = TimeZone::get(zone).unwrap();
            for finest in [Conversion::Hour, Conversion::Minute, Conversion::Second] {
                let mut remembering = LocalTime::new(zone.clone(), finest);
                let transitions: Vec<_> = zone.following(Timestamp::MIN).take(40).collect();
                for around in transitions.iter().map(|transition| transition.timestamp().as_second()) {
                    for seconds in (around - 4000..around + 4000).step_by(61) {
                        let fresh = text(&mut LocalTime::new(zone.clone(), finest), seconds);
                        assert_eq!(text(&mut remembering, seconds), fresh);
                    }
                }
            }
        }
    }

    #[test]
    fn both_ends_of_the_calendar_have_a_path() {
        let mut local = LocalTime::new(TimeZone::UTC, Conversion::Hour);
        assert_eq!(text(&mut local, Timestamp::MIN.as_second()), "-9999010201");
        assert!(text(&mut local, Timestamp::MAX.as_second() - 1).starts_with("99991230"));
    }
}
