//! `type = "level"`: levels in one spelling.

use super::Draft;
use crate::config::LevelConfig;
use crate::pipeline::level::{level_of_number, level_of_word};
use crate::wire::msgpack::{Token, read, write_str};

#[derive(Debug)]
pub(super) struct Level {
    config: LevelConfig,
}

impl Level {
    pub(super) fn new(config: LevelConfig) -> Self {
        Self { config }
    }

    pub(super) fn apply(&self, draft: &mut Draft<'_>, value: &mut Vec<u8>) {
        let found = draft.record.fields().get(&self.config.field);
        let Some(level) = found.and_then(|value| self.level(value)).or(self.config.default) else { return };
        value.clear();
        write_str(value, level.as_bytes());
        if draft.record.fields().get(&self.config.to) != Some(value) {
            draft.record.set(&self.config.to, value);
        }
    }

    fn level(&self, value: &[u8]) -> Option<&'static str> {
        let number = |number| level_of_number(self.config.numbers, number);
        match read(value, &mut 0).ok()? {
            Token::Str(text) | Token::Bin(text) => {
                let trimmed = text.trim_ascii();
                let own =
                    self.config.words.iter().find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(trimmed));
                let digits = || std::str::from_utf8(trimmed).ok()?.parse().ok();
                own.map(|(_, level)| *level).or_else(|| level_of_word(trimmed)).or_else(|| number(digits()?))
            }
            Token::Unsigned(value) => number(i64::try_from(value).ok()?),
            Token::Negative(value) => number(value),
            _ => None,
        }
    }
}
