//! Whether two outputs could ever write the same file.

use std::path::Path;

use super::path_parts::{Component, PathPart, PathTemplate};
use super::path_time::Conversion;

impl PathTemplate {
    /// Whether any two events could give the same path. Errs to `true`: a placeholder counts as any text that has no
    /// slash and is not empty, and a relative path is compared to the end of an absolute one.
    pub fn may_equal(&self, other: &Self) -> bool {
        let parents =
            |template: &Self| template.components.iter().take_while(|name| name.is_parent()).count();
        let same_start = self.absolute == other.absolute && parents(self) == parents(other);
        let these = &self.components[parents(self)..];
        let those = &other.components[parents(other)..];
        if same_start && these.len() != those.len() {
            return false;
        }
        these.iter().rev().zip(those.iter().rev()).all(|(this, that)| names_may_equal(this, that))
    }

    /// Whether some event could give this path. Errs to `true`, as [`may_equal`](Self::may_equal).
    pub fn may_give(&self, path: &Path) -> bool {
        // What a value can't hold does not become a path; `{` and `%` stand for themselves in one that is there.
        let text = path.to_string_lossy().replace('{', "{{").replace('}', "}}").replace('%', "%%");
        Self::parse(&text).map_or(true, |path| self.may_equal(&path))
    }
}

/// One step of a name.
#[derive(Debug, Clone, Copy)]
struct Unit {
    class: Class,
    /// Whether it may be left out.
    optional: bool,
    /// Whether it may be repeated.
    repeated: bool,
}

#[derive(Debug, Clone, Copy)]
enum Class {
    Byte(u8),
    Digit,
    Any,
}

impl Class {
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) | (Self::Digit, Self::Digit) => true,
            (Self::Byte(byte), Self::Byte(other)) => byte == other,
            (Self::Byte(byte), Self::Digit) | (Self::Digit, Self::Byte(byte)) => byte.is_ascii_digit(),
        }
    }
}

fn units(name: &Component) -> Vec<Unit> {
    let one = |class| Unit { class, optional: false, repeated: false };
    let mut units = Vec::new();
    for part in &name.parts {
        match part {
            PathPart::Literal(literal) => units.extend(literal.bytes().map(|byte| one(Class::Byte(byte)))),
            PathPart::Conversion(Conversion::Year) => {
                // Years before the year 0 have a minus.
                units.push(Unit { class: Class::Byte(b'-'), optional: true, repeated: false });
                units.extend([one(Class::Digit); 4]);
            }
            PathPart::Conversion(_) => units.extend([one(Class::Digit); 2]),
            PathPart::Placeholder(..) => {
                units.push(Unit { class: Class::Any, optional: false, repeated: true });
            }
        }
    }
    units
}

/// Walks through both names at once, over every pair of positions at most once.
fn names_may_equal(this: &Component, that: &Component) -> bool {
    let (these, those) = (units(this), units(that));
    let width = those.len() + 1;
    // For each pair of positions whether it was seen; the flags tell whether the unit there was taken at least once.
    let mut seen = vec![false; (these.len() + 1) * width * 4];
    let mut pending = vec![(0, false, 0, false)];
    while let Some((i, taken_i, j, taken_j)) = pending.pop() {
        let place = (i * width + j) * 4 + usize::from(taken_i) * 2 + usize::from(taken_j);
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        let (Some(this), Some(that)) = (these.get(i), those.get(j)) else {
            if these[i..].iter().skip(usize::from(taken_i)).all(|unit| unit.optional)
                && those[j..].iter().skip(usize::from(taken_j)).all(|unit| unit.optional)
            {
                return true;
            }
            // One name is at its end; the other can only leave out what is optional or taken already.
            continue;
        };
        if this.optional || taken_i {
            pending.push((i + 1, false, j, taken_j));
        }
        if that.optional || taken_j {
            pending.push((i, taken_i, j + 1, false));
        }
        if this.class.overlaps(that.class) {
            let step = |unit: &Unit, at: usize| if unit.repeated { (at, true) } else { (at + 1, false) };
            let ((i, taken_i), (j, taken_j)) = (step(this, i), step(that, j));
            pending.push((i, taken_i, j, taken_j));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_equal(this: &str, that: &str) -> bool {
        let (this, that) = (PathTemplate::parse(this).unwrap(), PathTemplate::parse(that).unwrap());
        assert_eq!(this.may_equal(&that), that.may_equal(&this), "{this} and {that}");
        this.may_equal(&that)
    }

    #[test]
    fn paths_that_some_event_could_share_are_found() {
        for (this, that) in [
            ("/a/b.log", "/a/b.log"),
            ("/a/{x}.log", "/a/b.log"),
            ("/a/{x}.log", "/a/b-{y}.log"),
            ("/a/{x}{y}", "/a/{z}b"),
            ("/a/%Y.log", "/a/2026.log"),
            ("/a/%Y%m.log", "/a/{x}.log"),
            ("/a/%Y", "/a/-0001"),
            ("/a/%H%M", "/a/%Y"),
            ("/a//./b", "/a/b"),
            ("/a/b", "b"),
            ("../b", "/x/y/b"),
            ("../b", "b"),
            ("/a/a{x}b", "/a/{y}ab"),
        ] {
            assert!(may_equal(this, that), "{this} and {that}");
        }
    }

    #[test]
    fn a_path_that_is_there_may_be_one_of_a_template_or_not() {
        let template = PathTemplate::parse("/a/{x}/%Y.log").unwrap();
        for (path, may) in [
            ("/a/web/2026.log", true),
            ("/a/{x}/2026.log", true),
            ("/a/100%/2026.log", true),
            ("/a/web/202x.log", false),
            ("/b/web/2026.log", false),
            ("/a/web/2026.log.gz", false),
        ] {
            assert_eq!(template.may_give(Path::new(path)), may, "{path}");
        }
    }

    #[test]
    fn paths_that_no_event_can_share_are_told_apart() {
        for (this, that) in [
            ("/a/b.log", "/a/c.log"),
            ("/a/b.log", "/a/b.log.gz"),
            ("/a/{x}.log", "/a/{x}.log.gz"),
            ("/a/{x}/b", "/a/b"),
            ("/a/{x}b", "/a/b"),
            ("/archive/{x}/%Y", "/invalid/{x}/%Y"),
            ("/a/%Y.log", "/a/x2026.log"),
            ("/a/%m.log", "/a/2026.log"),
            ("a/b", "a/c"),
            ("/x/a", "b"),
        ] {
            assert!(!may_equal(this, that), "{this} and {that}");
        }
    }
}
