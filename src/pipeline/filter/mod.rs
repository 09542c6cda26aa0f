//! Filters: what changes, drops and judges events on their way from the journal to an output. One file a `type`.

mod default;
mod draft;
mod encrypt;
mod hash;
mod keep;
mod level;
mod mask;
mod multiline;
mod parse;
mod relabel;
#[cfg(feature = "remap")]
mod remap;
mod remove;
mod rename;
mod retag;
mod sample;
mod sanitize;
mod set;
mod throttle;
mod time;
mod validate;

use default::Default;
pub(super) use draft::{Context, Draft, Scratch, Verdict};
use encrypt::Encrypt;
use hash::Hash;
use keep::Keep;
use level::Level;
use mask::Mask;
use multiline::Joined;
pub(super) use multiline::{Multiline, Waiting};
use parse::Parse;
use relabel::Relabel;
#[cfg(feature = "remap")]
use remap::Remap;
use remove::Remove;
use rename::Rename;
#[cfg(feature = "remap")]
pub(super) use retag::MAX_TAG;
use retag::Retag;
use sample::Sample;
use sanitize::Sanitize;
use set::Set;
use throttle::Throttle;
use time::Time;
use validate::Validate;

use super::condition::Condition;
use super::ownership::Writes;
use super::pipelines::Pipelines;
use super::tag_pattern::TagPatterns;
use super::throttle_state::ShortHash;
use crate::config::{FilterConfig, FilterKind};

/// One `[[filter]]`, ready to run.
#[derive(Debug)]
pub(super) struct Filter {
    /// The number of the pipeline that it is in.
    pub(super) pipeline: usize,
    /// The tags whose events it sees.
    pub(super) tags: TagPatterns,
    /// `where`: the events that it works on.
    condition: Option<Condition>,
    kind: Kind,
    judges: bool,
    /// Its place in the configuration, from 1, and its `type`.
    name: (usize, &'static str),
    /// Where it may bring what a sender chose.
    pub(super) writes: Writes,
}

/// A filter could not do with an event what it is there for; what becomes of the event is decided already.
struct Failed;

#[derive(Debug)]
enum Kind {
    Set(Set),
    Default(Default),
    Remove(Remove),
    Keep(Keep),
    Rename(Rename),
    Sanitize(Sanitize),
    Level(Level),
    Time(Time),
    Mask(Mask),
    Hash(Box<Hash>),
    Encrypt(Box<Encrypt>),
    Parse(Parse),
    Drop,
    KeepIf(Condition),
    Sample(Sample),
    Throttle(Box<Throttle>),
    Retag(Retag),
    Relabel(Relabel),
    Validate(Validate),
    Multiline(Multiline),
    #[cfg(feature = "remap")]
    Remap(Box<Remap>),
}

impl Filter {
    /// `number` is its place in the configuration, from 1.
    pub(super) fn new(number: usize, config: &FilterConfig, pipelines: &Pipelines) -> Self {
        let kind = match config.kind.clone() {
            FilterKind::Set { fields } => Kind::Set(Set { fields }),
            FilterKind::Default { fields } => Kind::Default(Default { fields }),
            FilterKind::Remove { fields } => Kind::Remove(Remove { fields }),
            FilterKind::Keep { fields } => Kind::Keep(Keep { fields }),
            FilterKind::Rename { fields } => Kind::Rename(Rename { fields }),
            FilterKind::Sanitize(config) => Kind::Sanitize(Sanitize::new(config)),
            FilterKind::Level(config) => Kind::Level(Level::new(config)),
            FilterKind::Time(source) => Kind::Time(Time { source }),
            FilterKind::Mask(config) => Kind::Mask(Mask::new(config)),
            FilterKind::Hash { fields, key, length } => Kind::Hash(Box::new(Hash::new(fields, &key, length))),
            FilterKind::Encrypt { fields, key } => Kind::Encrypt(Box::new(Encrypt::new(fields, &key))),
            FilterKind::Parse(config) => Kind::Parse(Parse::new(config)),
            FilterKind::Drop => Kind::Drop,
            FilterKind::KeepIf { condition } => Kind::KeepIf(condition),
            FilterKind::Sample { one_in, by } => Kind::Sample(Sample { one_in, by }),
            FilterKind::Throttle(throttle) => {
                let identity = config.throttle_identity().unwrap_or_default();
                Kind::Throttle(Box::new(Throttle::new(throttle, &identity)))
            }
            FilterKind::Retag { tag } => Kind::Retag(Retag { tag }),
            FilterKind::Relabel { to } => {
                let to = to.iter().map(|name| pipelines.find(Some(name))).collect();
                Kind::Relabel(Relabel { to })
            }
            FilterKind::Validate(config) => Kind::Validate(Validate::new(config)),
            FilterKind::Multiline(config) => Kind::Multiline(Multiline::new(config)),
            #[cfg(feature = "remap")]
            FilterKind::Remap(config) => Kind::Remap(Box::new(Remap::new(config))),
        };
        Self {
            pipeline: pipelines.find(config.pipeline.as_deref()),
            tags: config.tags.clone(),
            condition: config.condition.clone(),
            kind,
            judges: config.kind.judges(),
            name: (number, config.kind.name()),
            writes: Writes::of(&config.kind),
        }
    }

    /// Works on one event. `waiting` is what this filter holds back.
    pub(super) fn apply(
        &self,
        draft: &mut Draft<'_>,
        scratch: &mut Scratch,
        waiting: &mut Waiting,
    ) -> Verdict {
        let works = self.condition.as_ref().is_none_or(|condition| condition.holds(&draft.event()));
        if let Kind::Multiline(multiline) = &self.kind {
            // What is not for this filter must not overtake what waits in it.
            let joins = works && self.tags.matches(&String::from_utf8_lossy(draft.context.source.tag));
            return match multiline.take(draft, joins, waiting) {
                Joined::Begins => Verdict::Waits,
                Joined::Continues => Verdict::Joined,
            };
        }
        if !works {
            return Verdict::Passes;
        }
        match &self.kind {
            Kind::Set(set) => set.apply(draft, scratch),
            Kind::Default(default) => default.apply(draft, scratch),
            Kind::Remove(remove) => remove.apply(draft),
            Kind::Keep(keep) => keep.apply(draft),
            Kind::Rename(rename) => rename.apply(draft),
            Kind::Sanitize(sanitize) => sanitize.apply(draft, &mut scratch.text),
            Kind::Level(level) => level.apply(draft, &mut scratch.value),
            Kind::Time(time) => self.note(time.apply(draft), scratch),
            Kind::Mask(mask) => mask.apply(draft, scratch),
            Kind::Hash(hash) => hash.apply(draft, &mut scratch.text),
            Kind::Encrypt(encrypt) => encrypt.apply(draft, &mut scratch.text),
            Kind::Parse(parse) => self.note(parse.apply(draft, scratch), scratch),
            Kind::Validate(validate) => self.note(validate.apply(draft, &mut scratch.value), scratch),
            Kind::Drop => return Verdict::Dropped,
            Kind::KeepIf(condition) if condition.holds(&draft.event()) => {}
            Kind::KeepIf(_) => return Verdict::Dropped,
            Kind::Sample(sample) => return sample.apply(draft, &mut scratch.renderer),
            Kind::Throttle(throttle) => return throttle.apply(draft, scratch),
            Kind::Retag(retag) => return retag.apply(draft, scratch),
            #[cfg(feature = "remap")]
            Kind::Remap(remap) => {
                let (verdict, done) = remap.apply(draft, scratch);
                self.note(done, scratch);
                return verdict;
            }
            Kind::Relabel(_) => return Verdict::Relabelled,
            Kind::Multiline(_) => {}
        }
        Verdict::Passes
    }

    #[inline]
    fn note(&self, done: Result<(), Failed>, scratch: &mut Scratch) {
        if done.is_err() {
            let (number, kind) = self.name;
            scratch.failures.count(number, kind);
        }
    }

    /// Whether events may leave it with another tag.
    pub(super) fn retags(&self) -> bool {
        match &self.kind {
            Kind::Retag(_) => true,
            #[cfg(feature = "remap")]
            Kind::Remap(remap) => remap.retags(),
            _ => false,
        }
    }

    /// Of one that counts events: what its counts are kept under.
    pub(super) fn counts_as(&self) -> Option<&ShortHash> {
        match &self.kind {
            Kind::Throttle(throttle) => Some(throttle.identity()),
            _ => None,
        }
    }

    /// Where events leave its pipeline, if they do.
    pub(super) fn relabel(&self) -> Option<&Relabel> {
        match &self.kind {
            Kind::Relabel(relabel) => Some(relabel),
            _ => None,
        }
    }

    /// Whether it may find events invalid.
    pub(super) fn judges(&self) -> bool {
        self.judges
    }

    /// The filter that holds events back until it has seen the next ones, if this is one.
    pub(super) fn multiline(&self) -> Option<&Multiline> {
        match &self.kind {
            Kind::Multiline(multiline) => Some(multiline),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
