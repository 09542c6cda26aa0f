//! The keys of [`crate::config::BacklogConfig`].

use crate::config::reference::{Default, Key, Kind};
use crate::config::units::{MIB, TIB};

pub(super) const MAX_BACKLOG: Key = Key {
    name: "max_backlog",
    kind: Kind::Size { min: MIB, max: 64 * TIB },
    default: Default::Absent("half of `journal.max_size`; with `\"block\"` all of it"),
    meaning: "Bytes of the journal that the output may be behind, rounded up to whole segments; from \
              `segment_size` to `max_size` of the journal",
};

pub(super) const WHEN_BACKLOGGED: Key = Key {
    name: "when_backlogged",
    kind: Kind::Choice(&["block", "dead_letter", "drop_oldest"]),
    default: Default::Absent("`\"block\"` for files, `\"dead_letter\"` for the network"),
    meaning: "What happens then: senders wait; its oldest segments are set aside in \
              `DATA_DIR/dead-letters/segments/ID`; or they are dropped for this output, counted",
};

pub(super) const MAX_SET_ASIDE: Key = Key {
    name: "max_set_aside",
    kind: Kind::Size { min: 0, max: 64 * TIB },
    default: Default::Value("\"10GiB\""),
    meaning: "Bytes of segments that may be set aside for this output; past it nothing more is, and the journal \
              fills up",
};
