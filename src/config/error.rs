//! What is wrong with a configuration file, and where.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Why there is no configuration. The operator has to act: nothing was started, nothing was bound.
#[derive(Debug, thiserror::Error)]
pub enum ConfigErrors {
    #[error("cannot read the configuration {path}: {source}; name another file with --config", path = path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Invalid(InvalidConfig),
}

/// Every mistake of one file, in the order of the file. Never empty.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfig {
    /// The path as it was given; `built-in configuration` where there is none.
    pub file: String,
    pub problems: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// How many characters of the line are at fault; at least 1.
    pub length: usize,
    /// The line at fault.
    pub text: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Problem {
    /// A mistake at these bytes of a file.
    pub(super) fn new(source: &str, at: &Range<usize>, message: String) -> Self {
        let before = source.get(..at.start).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let text = source[line_start..].lines().next().unwrap_or_default();
        let column = source[line_start..before.len()].chars().count() + 1;
        let length = source
            .get(at.clone())
            .map_or(1, |fault| fault.lines().next().unwrap_or_default().chars().count());
        Self {
            line: before.matches('\n').count() + 1,
            column,
            length: length.max(1),
            text: text.to_owned(),
            message,
        }
    }
}

impl fmt::Display for InvalidConfig {
    /// `file:line:column: message`, the line, and a caret below what is at fault.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let Problem { line, column, length, text, message } = problem;
            let margin = " ".repeat(line.to_string().len());
            // Tabs stay tabs, so that the caret stands below its character on every terminal.
            let indent: String =
                text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
            writeln!(
                formatter,
                "{}{}:{line}:{column}: {message}",
                if index == 0 { "" } else { "\n" },
                self.file
            )?;
            writeln!(formatter, " {line} | {text}")?;
            writeln!(formatter, " {margin} | {indent}{}", "^".repeat(*length))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_below_its_line() {
        let source = "[a]\n\tname = \"飛脚\" # x\n";
        let at = source.find("飛").map(|start| start..start + "飛脚".len()).unwrap();
        let problem = Problem::new(source, &at, "too short".to_owned());
        assert_eq!((problem.line, problem.column, problem.length), (2, 10, 2));
        let shown = InvalidConfig { file: "x.toml".to_owned(), problems: vec![problem] }.to_string();
        assert_eq!(shown, "x.toml:2:10: too short\n 2 | \tname = \"飛脚\" # x\n   | \t        ^^\n");
    }

    #[test]
    fn a_problem_at_the_end_of_the_file_or_over_several_lines_has_a_caret() {
        let source = "a = [\n1,\n]";
        let end = Problem::new(source, &(source.len()..source.len()), String::new());
        assert_eq!((end.line, end.column, end.length), (3, 2, 1));
        let several = Problem::new(source, &(4..source.len()), String::new());
        assert_eq!((several.line, several.column, several.length), (1, 5, 1));
        let nothing = Problem::new("", &(0..0), String::new());
        assert_eq!((nothing.line, nothing.column, nothing.length), (1, 1, 1));
    }
}
