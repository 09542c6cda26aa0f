//! The keys of filters that need a key file.

use super::{Default, FILTER, Key, Kind, Section};

pub(in crate::config) const HASH_FILTER: Section = Section {
    title: "[[filter]] of type hash",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "fields",
            kind: Kind::Syntax("list of fields"),
            default: Default::Required,
            meaning: "The values that are replaced",
        },
        Key {
            name: "key_file",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "A file with 64 hex digits, as `openssl rand -hex 32` writes them",
        },
        Key {
            name: "length",
            kind: Kind::Integer { min: 16, max: 64 },
            default: Default::Value("64"),
            meaning: "Hex digits of a hash",
        },
    ],
};

pub(in crate::config) const ENCRYPT_FILTER: Section = Section {
    title: "[[filter]] of type encrypt",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "fields",
            kind: Kind::Syntax("list of fields"),
            default: Default::Required,
            meaning: "The values that are replaced",
        },
        Key {
            name: "key_file",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "A file with 64 hex digits, as `openssl rand -hex 32` writes them",
        },
    ],
};
