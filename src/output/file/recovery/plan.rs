//! What there is to do for each file, from all that the undo log says about it.

use std::collections::HashMap;
use std::path::Path;

use crate::output::file::undo::Undo;
use crate::storage::Identity;

/// What a file was at the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It was there, this long.
    There { identity: Identity, length: u64 },
    /// It was made since.
    Made { identity: Identity },
    /// It was to be made, and nothing was written yet.
    Absent,
}

/// One file to look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step<'a> {
    pub(super) path: &'a Path,
    pub(super) before: Before,
}

/// One step for each file; two files that lay at one path, one after the other, are two.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub(super) steps: Vec<Step<'a>>,
}

impl<'a> Plan<'a> {
    pub(super) fn of(records: &'a [Undo]) -> Self {
        let mut plan = Self::default();
        let mut by_path: HashMap<&Path, Vec<usize>> = HashMap::new();
        for record in records {
            let path = record.path();
            let steps = by_path.entry(path).or_default();
            let before = match record {
                Undo::Existing { identity, length, .. } => {
                    let was_absent = steps.iter().any(|step| plan.steps[*step].before == Before::Absent);
                    // Found empty where nothing was at the checkpoint.
                    if was_absent && *length == 0 {
                        Before::Made { identity: *identity }
                    } else {
                        Before::There { identity: *identity, length: *length }
                    }
                }
                Undo::Created { identity, .. } => Before::Made { identity: *identity },
                Undo::Absent { .. } => Before::Absent,
            };
            match steps.iter().find(|step| plan.steps[**step].before.is_of_same_file(&before)) {
                Some(step) => plan.steps[*step].before.lower(before),
                None => {
                    steps.push(plan.steps.len());
                    plan.steps.push(Step { path, before });
                }
            }
        }
        // An intention that something came of has been followed by a step that says what.
        let mut index = 0;
        plan.steps.retain(|step| {
            index += 1;
            let last = by_path.get(step.path).and_then(|steps| steps.last());
            step.before != Before::Absent || last == Some(&(index - 1))
        });
        plan
    }
}

impl Before {
    fn identity(&self) -> Option<&Identity> {
        match self {
            Self::There { identity, .. } | Self::Made { identity } => Some(identity),
            Self::Absent => None,
        }
    }

    fn is_of_same_file(&self, other: &Self) -> bool {
        match (self.identity(), other.identity()) {
            (Some(one), Some(other)) => one.is_same_file(other),
            (None, None) => true,
            _ => false,
        }
    }

    /// Keeps the shorter of two lengths; a file that was made had none.
    fn lower(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::There { length, .. }, Self::There { length: other, .. }) => *length = other.min(*length),
            (Self::There { .. }, Self::Made { .. }) => *self = other,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(inode: u64) -> Identity {
        Identity { device: 1, inode, birth: 1 }
    }

    fn existing(inode: u64, length: u64) -> Undo {
        Undo::Existing { path: "a".into(), identity: identity(inode), length }
    }

    fn created(inode: u64) -> Undo {
        Undo::Created { path: "a".into(), identity: identity(inode) }
    }

    fn absent() -> Undo {
        Undo::Absent { path: "a".into() }
    }

    fn plan(records: &[Undo]) -> Vec<Before> {
        Plan::of(records).steps.iter().map(|step| step.before).collect()
    }

    fn there(inode: u64, length: u64) -> Before {
        Before::There { identity: identity(inode), length }
    }

    fn made(inode: u64) -> Before {
        Before::Made { identity: identity(inode) }
    }

    #[test]
    fn the_least_length_of_a_file_counts() {
        assert_eq!(plan(&[existing(1, 10), existing(1, 20)]), [there(1, 10)]);
        assert_eq!(plan(&[existing(1, 20), existing(1, 10)]), [there(1, 10)]);
    }

    #[test]
    fn an_intention_counts_only_while_nothing_came_of_it() {
        assert_eq!(plan(&[absent()]), [Before::Absent]);
        assert_eq!(plan(&[absent(), absent()]), [Before::Absent]);
        assert_eq!(plan(&[absent(), created(1)]), [made(1)]);
        assert_eq!(plan(&[absent(), existing(1, 5)]), [there(1, 5)]);
        assert_eq!(plan(&[absent(), existing(1, 0)]), [made(1)]);
        assert_eq!(plan(&[existing(1, 5), absent()]), [there(1, 5), Before::Absent]);
    }

    #[test]
    fn two_files_at_one_path_are_two_steps() {
        let records = [existing(1, 10), absent(), created(2), existing(3, 30)];
        assert_eq!(plan(&records), [there(1, 10), made(2), there(3, 30)]);
    }

    #[test]
    fn a_new_file_under_the_number_of_an_old_one_was_made() {
        let steps = plan(&[existing(1, 10), absent(), created(1)]);
        assert_eq!(steps[0], made(1));
        // What is left of the intention takes away empty files only, and there is none any more.
        assert_eq!(steps[1..], [Before::Absent]);
    }
}
