//! The server behind a forward output: a hikyaku that recognises what it has by its id, on a network that loses answers.

use std::collections::HashMap;

use bytes::Bytes;

use super::life::Progress;
use super::model::Model;
use crate::journal::AppendError;
use crate::output::forward::simulated::{Sent, SimulatedForward};
use crate::storage::simulated::Random;

/// Messages that the output has under way before it stops to read.
const WINDOW: usize = 4;

/// What the server has.
#[derive(Debug, Default)]
pub(super) struct Upstream {
    received: HashMap<Bytes, Vec<usize>>,
    /// For people: what it did since somebody asked last.
    lines: Option<Vec<String>>,
    /// Messages that were given up.
    pub(super) given_up: u64,
    /// Of these, those that the server has as well: nobody told the output.
    pub(super) given_up_in_doubt: u64,
}

impl Upstream {
    /// `lines`: whether it tells what it does.
    pub(super) fn new(lines: bool) -> Self {
        Self { lines: lines.then(Vec::new), ..Self::default() }
    }

    /// What it did since this was asked last.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Events that arrived, each as often as it did under another id.
    pub(super) fn events(&self) -> impl Iterator<Item = usize> + '_ {
        self.received.values().flatten().copied()
    }

    /// Whether a message has arrived.
    pub(super) fn has(&self, sent: &Sent) -> bool {
        self.received.contains_key(&sent.id)
    }

    /// One thing that happens between the output and its server.
    pub(super) fn step(
        &mut self,
        forward: &mut SimulatedForward,
        model: &mut Model,
        random: &mut Random,
    ) -> Result<Progress, String> {
        match forward.settle() {
            Ok(settled) => self.given_up += settled,
            Err(AppendError::Failed(_)) => return Ok(Progress::Ended),
            Err(_) => return Ok(Progress::Blocked),
        }
        let what = random.below(8);
        if what < 3 && forward.count() < WINDOW {
            return Ok(match forward.read() {
                Ok(true) => Progress::Some,
                Ok(false) => Progress::Nothing,
                Err(_) => Progress::Blocked,
            });
        }
        if what == 3 {
            return Ok(forward.save().map_or(Progress::Blocked, |()| Progress::Some));
        }
        let index = random.below(forward.count().max(1) as u64) as usize;
        let Some(sent) = forward.message(index) else { return Ok(Progress::Nothing) };
        match random.below(8) {
            0..=3 => {
                self.arrives(&sent, model)?;
                forward.acknowledged(index);
            }
            4 => {
                self.arrives(&sent, model)?;
                forward.failed(index, true);
            }
            5 => forward.failed(index, false),
            _ => {
                let events = events_of(&sent, model)?;
                self.note(|| format!("a message with the events {events:?} is given up"));
                if self.has(&sent) {
                    if !forward.is_in_doubt(index) {
                        return Err(format!("{events:?} are given up as if the server could not have them"));
                    }
                    model.double(&events);
                    self.given_up_in_doubt += 1;
                }
                forward.give_up(index);
            }
        }
        Ok(Progress::Some)
    }

    /// Everything that is there gets through, as long as nothing is being given up.
    pub(super) fn take_all(&mut self, forward: &mut SimulatedForward, model: &Model) -> Result<(), String> {
        self.given_up += forward.settle().map_err(|error| error.to_string())?;
        loop {
            let mut index = 0;
            while index < forward.count() {
                match forward.message(index) {
                    Some(sent) => {
                        self.arrives(&sent, model)?;
                        forward.acknowledged(index);
                    }
                    None => index += 1,
                }
            }
            if !forward.read()? {
                break;
            }
        }
        forward.save().map_err(|error| error.to_string())
    }

    fn arrives(&mut self, sent: &Sent, model: &Model) -> Result<(), String> {
        let events = events_of(sent, model)?;
        self.note(|| format!("a message with the events {events:?} arrives"));
        match self.received.insert(sent.id.clone(), events.clone()) {
            Some(before) if before != events => {
                Err(format!("two messages have the same id: of the events {before:?} and {events:?}"))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("upstream: {}", line()));
        }
    }
}

/// The events of a message, which must be as they were sent.
pub(super) fn events_of(sent: &Sent, model: &Model) -> Result<Vec<usize>, String> {
    model
        .find_records(&sent.entries)
        .ok_or_else(|| "a message has events that nobody sent like this".to_owned())
}
