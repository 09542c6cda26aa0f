//! The keys of filters that move fields.

use super::{Default, FILTER, Key, Kind, Section};

pub(in crate::config) const SET_FILTER: Section = Section {
    title: "[[filter]] of type set",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "fields",
        kind: Kind::Map("table of values by field"),
        default: Default::Required,
        meaning: "Text with placeholders, integers, floats or booleans; written in this order, replacing what is there",
    }],
};

pub(in crate::config) const DEFAULT_FILTER: Section = Section {
    title: "[[filter]] of type default",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "fields",
        kind: Kind::Map("table of values by field"),
        default: Default::Required,
        meaning: "As for `set`, but written only where the field is missing, nil or empty",
    }],
};

pub(in crate::config) const REMOVE_FILTER: Section = Section {
    title: "[[filter]] of type remove",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "fields",
        kind: Kind::Syntax("list of fields"),
        default: Default::Required,
        meaning: "What is removed",
    }],
};

pub(in crate::config) const KEEP_FILTER: Section = Section {
    title: "[[filter]] of type keep",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "fields",
        kind: Kind::Syntax("list of fields"),
        default: Default::Required,
        meaning: "What stays; all other fields are removed",
    }],
};

pub(in crate::config) const RENAME_FILTER: Section = Section {
    title: "[[filter]] of type rename",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "fields",
        kind: Kind::Map("table of new names by field"),
        default: Default::Required,
        meaning: "Moved in this order; what has the new name already is replaced",
    }],
};
