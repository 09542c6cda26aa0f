//! `type = "remap"`

use crate::config::FilterKind;
use crate::config::load::Table;
use crate::config::load::document::Read;

#[cfg(not(feature = "remap"))]
pub(super) fn remap(table: &Table<'_>) -> Read<FilterKind> {
    Err(table.report(
        "type",
        "this hikyaku was built without `remap`: build it with `cargo build --release --features remap`, or the \
         container image with `--build-arg FEATURES=remap`",
    ))
}

#[cfg(feature = "remap")]
pub(super) fn remap(table: &Table<'_>) -> Read<FilterKind> {
    use super::{field, named};
    use crate::config::{RemapConfig, RemapEnd};

    let from_source = table.optional("source", program::inline);
    let from_file = table.optional("file", program::of_file);
    let end = |name| table.value(name, |value| named(&value, &RemapEnd::NAMES));
    let (on_error, on_abort) = (end("on_error"), end("on_abort"));
    let reason = table.value("error_field", field);
    let program = match (from_source?, from_file?) {
        (Some(program), None) | (None, Some(program)) => program,
        (None, None) => return Err(table.report("", "where is the program? expected `source` or `file`")),
        (Some(_), Some(_)) => return Err(table.report("file", "`source` and `file` do not go together")),
    };
    Ok(FilterKind::Remap(RemapConfig { program, on_error: on_error?, on_abort: on_abort?, reason: reason? }))
}

#[cfg(feature = "remap")]
mod program {
    use std::fs::File;
    use std::io::{self, Read as _};
    use std::path::Path;

    use crate::config::load::Value;
    use crate::config::load::document::Read;
    use crate::config::{MAX_FILE_SIZE, Problem};
    use crate::pipeline::remap::Program;

    /// A program in the configuration itself: nothing of it is replaced from the environment, since `${…}` and `%{…}` mean
    /// something in regular expressions and grok patterns.
    pub(super) fn inline(value: Value<'_>) -> Read<Program> {
        let source = value.value.as_str().ok_or_else(|| value.wrong_type())?;
        let written = value.document.source.get(value.at.clone()).unwrap_or_default();
        // Where no character is escaped, the program stands in the file as it is.
        let start = written.find(source).map(|start| value.at.start + start);
        let (mut reported, mut program) = (None, None);
        match Program::compile(source) {
            Ok(compiled) => program = Some(compiled),
            Err(mistakes) => {
                for mistake in mistakes {
                    let at = start.map(|start| start + mistake.at.start..start + mistake.at.end);
                    reported = Some(value.document.report(at.as_ref().unwrap_or(&value.at), mistake.message));
                }
            }
        }
        match (program, reported) {
            (Some(program), _) => Ok(program),
            (None, Some(reported)) => Err(reported),
            (None, None) => Err(value.report("the program does not compile")),
        }
    }

    /// A program in a file of its own.
    pub(super) fn of_file(value: Value<'_>) -> Read<Program> {
        let whole = value.clone();
        let path = value.path()?;
        let source = read(&path)
            .map_err(|error| whole.report(format!("cannot read the program {}: {error}", path.display())))?;
        Program::compile(&source).map_err(|mistakes| {
            let problems = mistakes.into_iter().map(|mistake| {
                let Problem { line, column, message, text, .. } =
                    Problem::new(&source, &mistake.at, mistake.message);
                format!("{}:{line}:{column}: {message}: {}", path.display(), text.trim())
            });
            whole.report(problems.collect::<Vec<_>>().join("\n"))
        })
    }

    fn read(path: &Path) -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE_SIZE + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_SIZE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it has more than {MAX_FILE_SIZE} bytes"),
            ));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn problem(filter: &str) -> String {
        let text = format!(
            "[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n\
             [[output]]\nid = 'all'\ntype = 'file'\nmatch = '**'\npath = 'x'\n[[filter]]\n{filter}\n"
        );
        match Config::parse(&text, None, &|_| None) {
            Ok(_) => String::new(),
            Err(errors) => errors.to_string(),
        }
    }

    #[cfg(not(feature = "remap"))]
    #[test]
    fn without_the_feature_it_says_how_to_get_it() {
        let found = problem("type = 'remap'\nsource = '.a = 1'");
        assert!(found.contains(":11:8:") && found.contains("--features remap"), "{found}");
    }

    #[cfg(feature = "remap")]
    #[test]
    fn mistakes_are_shown_where_they_stand_in_the_configuration() {
        let found = problem("type = 'remap'\nsource = '''\n.a = 1\n.b = upcase(.c)\n'''");
        assert!(found.contains(":14:6: VRL E103: ") && found.contains("`upcase!(.c)`"), "{found}");
        assert!(found.contains("\n    |      ^^^^^^^^^^\n"), "{found}");
        let found = problem("type = 'remap'\nsource = \".a = \\\"x\\\" + now()\"");
        assert!(found.contains(":12:10: `now`"), "escapes: the whole string: {found}");
        assert_eq!(problem("type = 'remap'\nsource = \".a = parse_grok!(.m, s'%{NUMBER:n} ${HOME}')\""), "");
    }

    #[cfg(feature = "remap")]
    #[test]
    fn a_program_comes_from_one_place() {
        assert!(problem("type = 'remap'").contains("expected `source` or `file`"));
        let both = problem("type = 'remap'\nsource = '.a = 1'\nfile = '/a'");
        assert!(both.contains("cannot read the program /a"), "{both}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program.vrl");
        std::fs::write(&path, ".a = 1\n.b = now()\n").unwrap();
        let file = format!("type = 'remap'\nfile = '{}'", path.display());
        let found = problem(&file);
        assert!(found.contains("program.vrl:2:6: `now`") && found.contains(": .b = now()"), "{found}");
        std::fs::write(&path, ".a = 1\n").unwrap();
        assert_eq!(problem(&file), "");
        assert!(problem(&format!("{file}\nsource = '.a = 1'")).contains("do not go together"));
    }

    #[cfg(feature = "remap")]
    #[test]
    fn what_goes_to_the_invalid_output_needs_one() {
        for key in ["on_error", "on_abort"] {
            let found = problem(&format!("type = 'remap'\nsource = '.a = 1'\n{key} = 'invalid'"));
            assert!(found.contains("would have no place"), "{found}");
        }
        assert!(problem("type = 'remap'\nsource = '.a = 1'\non_error = 'x'").contains("expected one of"));
    }
}
