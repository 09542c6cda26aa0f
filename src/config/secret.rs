//! Text that must not be seen in logs.

use std::fmt;

/// A password or a key. Printing it shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever has to use it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("xxxxxx")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_what_is_printed() {
        assert_eq!(format!("{:?}", Some(Secret::new("pa55"))), "Some(xxxxxx)");
        assert_eq!(Secret::new("pa55").reveal(), "pa55");
    }
}
