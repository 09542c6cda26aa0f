//! What one sender may write, and whether an event keeps to it.

use super::Reason;
use crate::config::OwnershipConfig;
use crate::pipeline::event::Source;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::nested::MapEntries;
use crate::pipeline::record::{RecordFields, is_blank};
use crate::wire::msgpack::{Token, read};

/// What one sender may write.
#[derive(Debug)]
pub(in crate::pipeline) struct Claims {
    /// Whether any row is about the sender.
    is_known: bool,
    bound: Vec<Bound>,
}

/// A field and what the sender may write there.
#[derive(Debug)]
struct Bound {
    field: FieldPath,
    /// Sorted.
    values: Vec<Vec<u8>>,
}

/// How an event stands to what its sender may write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::pipeline) enum Claim {
    /// All bound fields fit, or nothing is bound.
    #[default]
    Fits,
    /// Those that are there fit; others are missing, and filters may fill them.
    Open,
    /// It is not the sender's. The number is that of the bound field.
    Disowned(Reason, usize),
}

/// What was in the bound fields before a filter; keeps its memory from event to event.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct Held {
    /// Encoded values; empty where there was none.
    values: Vec<Vec<u8>>,
}

impl Claims {
    /// The rows that are about a sender add up.
    pub(super) fn new(config: &OwnershipConfig, source: &Source<'_>) -> Self {
        let mut claims = Self { is_known: false, bound: Vec::new() };
        for row in config.rows.iter().filter(|row| row.senders.fits(source)) {
            claims.is_known = true;
            for (field, templates) in &row.fields {
                let known = claims.bound.iter().position(|bound| bound.field == *field);
                let at = known.unwrap_or_else(|| {
                    claims.bound.push(Bound { field: field.clone(), values: Vec::new() });
                    claims.bound.len() - 1
                });
                let values = templates.iter().filter_map(|template| template.render(source));
                claims.bound[at].values.extend(values);
            }
        }
        claims.bound.iter_mut().for_each(|bound| bound.values.sort_unstable());
        claims
    }

    /// What the sender claims, as the event comes.
    pub(in crate::pipeline) fn check(&self, record: RecordFields<'_>) -> Claim {
        if !self.is_known {
            return Claim::Disowned(Reason::UnknownSender, 0);
        }
        let mut claim = Claim::Fits;
        for (number, bound) in self.bound.iter().enumerate() {
            // Of a key that comes twice the list of fields has one, unless it is past the list's limit.
            if (!record.is_whole() && bound.is_twice(record)) || bound.is_twice_within(record) {
                return Claim::Disowned(Reason::Ambiguous, number);
            }
            match record.get(&bound.field) {
                None => claim = Claim::Open,
                Some(value) if is_blank(value) => claim = Claim::Open,
                Some(value) if bound.allows(value) => {}
                Some(_) => return Claim::Disowned(Reason::NotAllowed, number),
            }
        }
        claim
    }

    /// Remembers what is in the bound fields.
    pub(in crate::pipeline) fn hold(&self, record: RecordFields<'_>, held: &mut Held) {
        held.values.resize_with(self.bound.len(), Vec::new);
        for (bound, held) in self.bound.iter().zip(&mut held.values) {
            held.clear();
            held.extend_from_slice(record.get(&bound.field).unwrap_or_default());
        }
    }

    /// What a filter made of an event that had not been disowned.
    pub(in crate::pipeline) fn check_brought(
        &self,
        record: RecordFields<'_>,
        held: &Held,
        before: Claim,
    ) -> Claim {
        for (number, (bound, held)) in self.bound.iter().zip(&held.values).enumerate() {
            // A filter that writes keys can make two of one.
            if bound.is_twice(record) || bound.is_twice_within(record) {
                return Claim::Disowned(Reason::Ambiguous, number);
            }
            let Some(value) = record.get(&bound.field) else { continue };
            if value != held && !is_blank(value) && !bound.allows(value) {
                return Claim::Disowned(Reason::NotAllowed, number);
            }
        }
        before
    }

    /// The verdict behind the filters.
    pub(in crate::pipeline) fn check_filled(&self, record: RecordFields<'_>) -> Claim {
        let is_missing = |bound: &Bound| record.get(&bound.field).is_none_or(is_blank);
        match self.bound.iter().position(is_missing) {
            Some(number) => Claim::Disowned(Reason::Missing, number),
            None => Claim::Fits,
        }
    }

    /// Why, for the person who finds the event.
    pub(in crate::pipeline) fn explain(&self, reason: Reason, number: usize) -> String {
        let field = self.bound.get(number).map(|bound| bound.field.to_string()).unwrap_or_default();
        match reason {
            Reason::NotAllowed => format!("this sender may not write this value of {field}"),
            Reason::Missing => format!("{field} is missing, and this sender may only write its own"),
            Reason::Ambiguous => format!("{field} is there more than once"),
            Reason::UnknownSender => "no row of owners is about this sender".to_owned(),
        }
    }
}

impl Bound {
    /// Text by its bytes, and integers by their digits: as a path has them before it makes them safe.
    #[inline]
    fn allows(&self, value: &[u8]) -> bool {
        let has = |text: &[u8]| self.values.binary_search_by(|own| own.as_slice().cmp(text)).is_ok();
        match read(value, &mut 0) {
            Ok(Token::Str(text) | Token::Bin(text)) => has(text),
            Ok(Token::Unsigned(number)) => has(digits(&mut [0; 20], false, number)),
            Ok(Token::Negative(number)) => has(digits(&mut [0; 20], true, number.unsigned_abs())),
            _ => false,
        }
    }

    fn is_twice(&self, record: RecordFields<'_>) -> bool {
        let (name, _) = self.field.split_first();
        let name = name.as_bytes();
        let count = record.iter().filter(|field| field.name == Some(name)).count();
        // One that the list does not have is past its limit, where paths and filters do not see it.
        count > usize::from(record.get_name(name).is_some())
    }

    /// Whether a map on the way to the field has the next key more than once.
    fn is_twice_within(&self, record: RecordFields<'_>) -> bool {
        let (name, mut keys) = self.field.split_first();
        let mut map = record.get_name(name.as_bytes());
        while let (Some((key, rest)), Some(entries)) = (keys.split_first(), map.and_then(MapEntries::of)) {
            let mut values = entries.filter(|entry| entry.name == Some(key.as_bytes()));
            map = values.next().map(|entry| entry.value);
            if values.next().is_some() {
                return true;
            }
            keys = rest;
        }
        false
    }
}

/// A number as text; the longest one has 20 characters.
fn digits(buffer: &mut [u8; 20], is_negative: bool, number: u64) -> &[u8] {
    let mut rest = number;
    let mut at = buffer.len();
    while at > 0 {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if is_negative && at > 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_their_digits() {
        for number in [0, 7, 10, 4_294_967_296, u64::MAX] {
            assert_eq!(digits(&mut [0; 20], false, number), number.to_string().as_bytes());
        }
        for number in [-1, -33, i64::MIN] {
            assert_eq!(digits(&mut [0; 20], true, number.unsigned_abs()), number.to_string().as_bytes());
        }
    }
}
