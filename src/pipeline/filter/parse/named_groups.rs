//! The named groups of a regular expression.

use regex::bytes::{CaptureLocations, Regex};

use super::Wrong;
use super::found::Found;

#[derive(Debug)]
pub(super) struct NamedGroups {
    regex: Regex,
    /// Each group that has a name, with its number.
    names: Vec<(usize, String)>,
}

/// Where the groups of one expression were found.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Of which expression: they must not be mixed up.
    pattern: String,
    locations: Option<CaptureLocations>,
}

impl NamedGroups {
    pub(super) fn new(regex: Regex) -> Self {
        let named = |(at, name): (usize, Option<&str>)| Some((at, name?.to_owned()));
        let names = regex.capture_names().enumerate().filter_map(named).collect();
        Self { regex, names }
    }

    /// Groups that took no part are left out.
    pub(super) fn parse(&self, text: &[u8], found: &mut Found, memory: &mut Memory) -> Result<(), Wrong> {
        if memory.pattern != self.regex.as_str() {
            self.regex.as_str().clone_into(&mut memory.pattern);
            memory.locations = None;
        }
        let locations = memory.locations.get_or_insert_with(|| self.regex.capture_locations());
        if self.regex.captures_read(locations, text).is_none() {
            return Err("the text does not match the regular expression");
        }
        for (group, name) in &self.names {
            if let Some((start, end)) = locations.get(*group) {
                found.text(name.as_bytes(), &text[start..end]);
            }
        }
        Ok(())
    }
}
