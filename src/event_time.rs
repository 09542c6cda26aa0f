//! A point in time as events and receipts carry it.

/// Nanoseconds per second, the exclusive upper bound of [`EventTime::nanoseconds`].
pub const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// Seconds since the Unix epoch and nanoseconds within that second.
///
/// The range is what a calendar can show (years -9999 to 9999), so that formatting never fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime {
    seconds: i64,
    nanoseconds: u32,
}

impl EventTime {
    /// `None` where the nanoseconds are not below one second, or where no calendar reaches.
    pub fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let calendar = jiff::Timestamp::MIN.as_second()..jiff::Timestamp::MAX.as_second();
        (nanoseconds < NANOSECONDS_PER_SECOND && calendar.contains(&seconds))
            .then_some(Self { seconds, nanoseconds })
    }

    /// The time of day of this machine. Only inputs and the server's own log may ask for it: everything behind
    /// the journal uses the receipt time that was stored.
    pub fn now() -> Self {
        Self::from_unix_nanoseconds(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
    }

    /// From nanoseconds since the Unix epoch, the form in which the journal stores receipt times.
    pub fn from_unix_nanoseconds(nanoseconds: i64) -> Self {
        let per_second = i64::from(NANOSECONDS_PER_SECOND);
        Self {
            seconds: nanoseconds.div_euclid(per_second),
            nanoseconds: nanoseconds.rem_euclid(per_second) as u32,
        }
    }

    /// Nanoseconds since the Unix epoch, at the ends of `i64` (years 1677 and 2262) where they do not fit.
    pub fn unix_nanoseconds(self) -> i64 {
        let nanoseconds = self.timestamp().as_nanosecond();
        i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, below [`NANOSECONDS_PER_SECOND`].
    pub fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// For formatting.
    pub fn timestamp(self) -> jiff::Timestamp {
        let nanoseconds =
            i128::from(self.seconds) * i128::from(NANOSECONDS_PER_SECOND) + i128::from(self.nanoseconds);
        jiff::Timestamp::from_nanosecond(nanoseconds).expect("the constructors keep to the calendar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_of_a_second_or_more_are_no_time() {
        assert!(EventTime::new(1, 999_999_999).is_some());
        assert_eq!(EventTime::new(1, 1_000_000_000), None);
        assert_eq!(EventTime::new(1, 2_000_000_000), None);
        assert_eq!(EventTime::new(1, u32::MAX), None);
    }

    #[test]
    fn seconds_that_no_calendar_reaches_are_no_time() {
        assert_eq!(EventTime::new(i64::MAX, 0), None);
        assert_eq!(EventTime::new(i64::MIN, 0), None);
        for end in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
            for seconds in end.as_second() - 2..end.as_second() + 2 {
                if let Some(time) = EventTime::new(seconds, NANOSECONDS_PER_SECOND - 1) {
                    time.timestamp();
                }
            }
        }
    }

    #[test]
    fn nanoseconds_survive_the_journal() {
        for nanoseconds in [i64::MIN, -1, 0, 1, 1_760_000_000_123_456_789, i64::MAX] {
            let time = EventTime::from_unix_nanoseconds(nanoseconds);
            assert_eq!(time.unix_nanoseconds(), nanoseconds);
            assert_eq!(time.timestamp().as_nanosecond(), i128::from(nanoseconds));
        }
    }
}
