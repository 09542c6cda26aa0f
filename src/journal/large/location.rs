//! Where the file of a large chunk lies.

use std::fmt;

/// The place of the frame that a large file belongs to, which is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::journal) struct LargePlace {
    pub(in crate::journal) segment: u64,
    pub(in crate::journal) offset: u64,
}

impl LargePlace {
    /// The place that the name of a file tells, without its extension.
    pub(in crate::journal) fn parse(stem: &str) -> Option<Self> {
        let (segment, offset) = stem.split_once('-')?;
        let place = Self { segment: segment.parse().ok()?, offset: u64::from_str_radix(offset, 16).ok()? };
        // Only the one spelling that we write.
        (place.to_string() == stem).then_some(place)
    }
}

impl fmt::Display for LargePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016}-{:016x}", self.segment, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_in_one_spelling() {
        let place = LargePlace { segment: 7, offset: 0xa128 };
        assert_eq!(place.to_string(), "0000000000000007-000000000000a128");
        assert_eq!(LargePlace::parse(&place.to_string()), Some(place));
        for other in ["7-a128", "0000000000000007-000000000000A128", "0000000000000007", "-", "x-0"] {
            assert_eq!(LargePlace::parse(other), None, "{other}");
        }
    }
}
