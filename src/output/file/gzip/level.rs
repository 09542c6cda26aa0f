//! What makes a gzip member, and how small.

use std::fmt;

/// The highest level of libdeflate.
pub(super) const MAX_LIBDEFLATE: u8 = 12;

/// A compressor and its level. They ascend from fast to small, but where a text is an odd one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Level 1 of ISA-L. Its level 0 makes twice of logs what level 1 does, and its level 3 is slower than libdeflate at
    /// what is smaller.
    #[cfg(feature = "isal")]
    Isal,
    Libdeflate(u8),
}

impl Level {
    /// Level 1 of ISA-L, three times as fast as libdeflate's, where the program was built with it.
    #[cfg(feature = "isal")]
    pub const ISAL: Self = Self(Kind::Isal);

    /// Of what nothing is known about: within the limit on all logs that were measured.
    pub const UNKNOWN: Self = Self::libdeflate(4);

    /// From 1 (fast) to 12 (small); anything else counts as the nearest of these.
    pub const fn libdeflate(level: i32) -> Self {
        Self(Kind::Libdeflate(match level {
            ..=0 => 1,
            1..=12 => level as u8,
            _ => MAX_LIBDEFLATE,
        }))
    }

    /// Where a level that is small enough is looked for: what comes behind is hardly any smaller.
    pub fn candidates() -> impl Iterator<Item = Self> {
        #[cfg(feature = "isal")]
        let fastest = Some(Self::ISAL);
        #[cfg(not(feature = "isal"))]
        let fastest = None;
        fastest.into_iter().chain((1..=6).map(Self::libdeflate))
    }

    pub(super) fn kind(self) -> Kind {
        self.0
    }
}

/// As metrics name it: `isal-1`, or libdeflate's number alone.
impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            #[cfg(feature = "isal")]
            Kind::Isal => formatter.write_str("isal-1"),
            Kind::Libdeflate(level) => level.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_levels_of_libdeflate_and_others_count_as_the_nearest() {
        let numbers = [i32::MIN, 0, 1, 2, 11, 12, 13, i32::MAX];
        let names = numbers.map(|number| Level::libdeflate(number).to_string());
        assert_eq!(names, ["1", "1", "1", "2", "11", "12", "12", "12"]);
    }

    #[test]
    fn candidates_ascend_from_fast_to_small() {
        let candidates: Vec<Level> = Level::candidates().collect();
        assert!(candidates.is_sorted());
        let names: Vec<String> = candidates.iter().map(Level::to_string).collect();
        let isal = if cfg!(feature = "isal") { "isal-1 " } else { "" };
        assert_eq!(names.join(" "), format!("{isal}1 2 3 4 5 6"));
    }
}
