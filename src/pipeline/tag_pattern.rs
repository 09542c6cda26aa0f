//! Fluentd's patterns over tags: `*`, `**`, `{a,b}`, several separated by spaces.
//!
//! The meaning is that of Fluentd's `GlobMatchPattern`, its corners included:
//!
//! ```text
//! *         any text without a dot, also none, anywhere in a part
//! **        any text
//! .**       zero or more parts: a.** takes a, a.b and a.b.c, and not ab
//! **.       zero or more parts in front: **.a takes a and b.a, and not ba
//! {x,y}     either; the alternatives may hold dots, wildcards and braces
//! \c        the character c itself
//! ```

use std::fmt;

use super::template::SyntaxError;

/// One or more patterns; a tag matches if any of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPatterns {
    text: String,
    patterns: Vec<Vec<Step>>,
}

/// One instruction of a compiled pattern.
///
/// All ways through a pattern are followed side by side, so that the time is bounded by the length of the pattern
/// times the length of the tag, which comes from a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Takes this byte.
    Byte(u8),
    /// Takes bytes other than a dot, as long as it likes.
    WithinPart,
    /// Takes any bytes, as long as it likes.
    Anything,
    /// Takes nothing: the tag ends here, or a dot follows.
    PartEnds,
    /// Takes nothing: here the tag begins.
    TagBegins,
    /// Takes nothing: goes on at each of these steps.
    Either(Vec<usize>),
    /// The whole tag has to be taken now.
    End,
}

impl TagPatterns {
    /// Whether one of the patterns is `**`.
    pub fn take_every_tag(&self) -> bool {
        self.text.split_whitespace().any(|pattern| pattern == "**")
    }

    /// Parses patterns separated by spaces.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut patterns = Vec::new();
        let mut start = 0;
        for part in text.split_inclusive(char::is_whitespace) {
            let pattern = part.trim_end();
            if !pattern.is_empty() {
                patterns.push(compile(pattern).map_err(|error| SyntaxError {
                    at: error.at.start + start..error.at.end + start,
                    message: error.message,
                })?);
            }
            start += part.len();
        }
        if patterns.is_empty() {
            let message = "a pattern over tags is missing: `**` takes every tag".to_owned();
            return Err(SyntaxError { at: 0..text.len(), message });
        }
        Ok(Self { text: text.to_owned(), patterns })
    }

    /// Whether any of the patterns takes this tag.
    pub fn matches(&self, tag: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, tag.as_bytes()))
    }
}

impl fmt::Display for TagPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An open brace: where its choice of alternatives stands, and where each finished alternative has to go on.
struct Choice {
    at: usize,
    either: usize,
    ends: Vec<usize>,
}

fn compile(pattern: &str) -> Result<Vec<Step>, SyntaxError> {
    if pattern.starts_with('/') {
        let message =
            "regular expressions over tags are not supported: write `*`, `**` and `{a,b}`".to_owned();
        return Err(SyntaxError { at: 0..pattern.len(), message });
    }
    let bytes = pattern.as_bytes();
    let mut steps = Vec::new();
    let mut choices: Vec<Choice> = Vec::new();
    // A dot is written only once it is known that no `**` follows, which would make the dot optional.
    let mut dot = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if bytes[at..].starts_with(b"**") {
            if std::mem::take(&mut dot) {
                steps.push(Step::PartEnds);
            }
            at += 2;
            if bytes.get(at) == Some(&b'.') {
                at += 1;
                let next = steps.len() + 1;
                steps.push(Step::Either(vec![next, next + 3]));
                steps.push(Step::Anything);
                steps.push(Step::Byte(b'.'));
                steps.push(Step::Either(vec![next + 4]));
                steps.push(Step::TagBegins);
            } else {
                steps.push(Step::Anything);
            }
            continue;
        }
        if std::mem::take(&mut dot) {
            steps.push(Step::Byte(b'.'));
        }
        match byte {
            b'\\' => {
                at += 1;
                let Some(&escaped) = bytes.get(at) else {
                    let message = "a backslash at the end escapes nothing".to_owned();
                    return Err(SyntaxError { at: at - 1..at, message });
                };
                steps.push(Step::Byte(escaped));
            }
            b'.' => dot = true,
            b'*' => steps.push(Step::WithinPart),
            b'{' => {
                choices.push(Choice { at, either: steps.len(), ends: Vec::new() });
                let first = steps.len() + 1;
                steps.push(Step::Either(vec![first]));
            }
            b',' | b'}' if !choices.is_empty() => close_alternative(&mut steps, &mut choices, byte == b'}'),
            byte => steps.push(Step::Byte(byte)),
        }
        at += 1;
    }
    if let Some(choice) = choices.pop() {
        let message = "this brace is never closed: write `{a,b}`".to_owned();
        return Err(SyntaxError { at: choice.at..choice.at + 1, message });
    }
    steps.push(Step::End);
    Ok(steps)
}

fn close_alternative(steps: &mut Vec<Step>, choices: &mut Vec<Choice>, last: bool) {
    let end = steps.len();
    steps.push(Step::Either(Vec::new()));
    let next = steps.len();
    let Some(choice) = choices.last_mut() else { return };
    choice.ends.push(end);
    if !last {
        if let Step::Either(targets) = &mut steps[choice.either] {
            targets.push(next);
        }
        return;
    }
    for end in choices.pop().into_iter().flat_map(|choice| choice.ends) {
        steps[end] = Step::Either(vec![next]);
    }
}

fn matches(steps: &[Step], tag: &[u8]) -> bool {
    let mut current = Ways::new(steps.len());
    let mut next = Ways::new(steps.len());
    current.add(steps, 0, tag, 0);
    for (at, byte) in tag.iter().enumerate() {
        for &step in &current.steps {
            match steps[step] {
                Step::Byte(expected) if expected == *byte => next.add(steps, step + 1, tag, at + 1),
                Step::Anything => next.add(steps, step, tag, at + 1),
                Step::WithinPart if *byte != b'.' => next.add(steps, step, tag, at + 1),
                _ => {}
            }
        }
        std::mem::swap(&mut current, &mut next);
        next.clear();
        if current.steps.is_empty() {
            return false;
        }
    }
    current.steps.iter().any(|step| steps[*step] == Step::End)
}

/// The steps that are reached at one point of the tag.
struct Ways {
    steps: Vec<usize>,
    reached: Vec<bool>,
    pending: Vec<usize>,
}

impl Ways {
    fn new(count: usize) -> Self {
        Self { steps: Vec::new(), reached: vec![false; count], pending: Vec::new() }
    }

    fn clear(&mut self) {
        self.steps.clear();
        self.reached.fill(false);
    }

    /// Adds a step, and those that it leads to without taking a byte.
    fn add(&mut self, program: &[Step], step: usize, tag: &[u8], at: usize) {
        self.pending.push(step);
        while let Some(step) = self.pending.pop() {
            if std::mem::replace(&mut self.reached[step], true) {
                continue;
            }
            self.steps.push(step);
            match &program[step] {
                Step::Either(targets) => self.pending.extend(targets),
                Step::Anything | Step::WithinPart => self.pending.push(step + 1),
                Step::PartEnds if tag.get(at).is_none_or(|byte| *byte == b'.') => self.pending.push(step + 1),
                Step::TagBegins if at == 0 => self.pending.push(step + 1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cases: &[(&str, &[&str], &[&str])]) {
        for (pattern, taken, left) in cases {
            let patterns = TagPatterns::parse(pattern).unwrap();
            assert_eq!(patterns.to_string(), *pattern);
            for tag in *taken {
                assert!(patterns.matches(tag), "{pattern} must take {tag}");
            }
            for tag in *left {
                assert!(!patterns.matches(tag), "{pattern} must leave {tag}");
            }
        }
    }

    /// The cases of Fluentd's own tests.
    #[test]
    fn patterns_take_what_fluentd_takes() {
        check(&[
            ("a", &["a"], &["b"]),
            ("a.b", &["a.b"], &["aab"]),
            ("a*", &["a", "ab", "abc"], &["a.b", "ab.c", "ba"]),
            ("*a", &["a", "ba", "cba"], &["ab"]),
            ("*a*", &["a", "ba", "ac", "bac"], &[]),
            ("a.*", &["a.b", "a.c"], &["ab"]),
            ("a.*.c", &["a.b.c", "a.c.c"], &["a.c"]),
            ("a.**", &["a", "a.b", "a.b.c"], &["ab", "abc", "ab.c", "ab.d.e"]),
            ("a**", &["a", "ab", "abc", "a.b", "ab.c", "ab.d.e"], &[]),
            ("**.a", &["a", "b.a", "cb.a", "d.e.a"], &["ba", "c.ba"]),
            ("**a", &["a", "ba", "c.ba", "b.a", "cb.a", "d.e.a"], &[]),
            ("a.{b,c}", &["a.b", "a.c"], &["a.d"]),
            ("a.{b,c}.**", &["a.b", "a.c"], &["a.d", "a.cd"]),
            ("a.{b.**,c}", &["a.b", "a.b.c", "a.c"], &["a.c.d"]),
            ("a.b a.c", &["a.b", "a.c"], &["a.d"]),
            ("a.b.** a.c.**", &["a.b", "a.c"], &["a.d", "a.cd"]),
            ("a.b.** a.c", &["a.b", "a.b.c", "a.c"], &["a.c.d"]),
        ]);
    }

    #[test]
    fn corners_follow_the_regular_expressions_that_fluentd_builds() {
        check(&[
            ("**", &["", "a", "a.b"], &[]),
            ("*", &["", "a"], &["a.b"]),
            ("a.**.c", &["a.c", "a.b.c", "a.b.b.c"], &["ac", "a.cc"]),
            ("a**.c", &["a.c", "ab.c"], &["ac"]),
            ("{nginx,openappsec}.**", &["nginx", "nginx.access", "openappsec.detection"], &["nginxx"]),
            ("{a,{b,c.d}}e", &["ae", "be", "c.de"], &["e", "ce"]),
            ("{,a}b", &["b", "ab"], &["aab"]),
            ("{a}", &["a"], &[""]),
            ("a,b}", &["a,b}"], &["a"]),
            (r"a\*", &["a*"], &["ab"]),
            (r"\{a,b}", &["{a,b}"], &["a"]),
            ("a.", &["a"], &["a."]),
            ("ログ.*", &["ログ.東京"], &["ログ"]),
            ("a+", &["a+"], &["aa"]),
        ]);
    }

    #[test]
    fn mistakes_are_refused_where_they_stand() {
        for (text, at) in
            [("", 0..0), ("  ", 0..2), ("a {b", 2..3), ("a.{b,{c}", 2..3), ("a b\\", 3..4), ("/a.*/", 0..5)]
        {
            assert_eq!(TagPatterns::parse(text).unwrap_err().at, at, "{text:?}");
        }
    }

    #[test]
    fn a_hostile_tag_costs_no_more_than_its_length() {
        let patterns = TagPatterns::parse(&"*a".repeat(30)).unwrap();
        assert!(!patterns.matches(&format!("{}b", "a".repeat(10_000))));
    }
}
