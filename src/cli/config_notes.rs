//! What is no mistake of a configuration, and worth to be told before a server starts with it.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::config::{CertificatePair, Config, OutputKind};

/// Files of certificates that can't be read here, and events that would have no output: a sentence for each.
pub(super) fn config_notes(config: &Config) -> Vec<String> {
    let files = input_files(config).chain(output_files(config));
    let mut notes: Vec<_> = files.filter_map(|(of, path)| unreadable(&of, &path)).collect();
    if !notes.is_empty() {
        notes.push(
            "`hikyaku certs` makes certificates; relative paths begin in the folder that `run` is started in"
                .to_owned(),
        );
    }
    if !config.has_a_place_for_every_event() {
        notes.push(
            "no output has `fallback = true`: events that no output's `match` takes go nowhere; add one to keep them"
                .to_owned(),
        );
    }
    notes
}

/// The files that `tls` of the inputs names, and of which input.
fn input_files(config: &Config) -> impl Iterator<Item = (String, PathBuf)> {
    config.inputs.iter().flat_map(|input| {
        let of_tls = input.tls.iter().flat_map(|tls| {
            tls.pairs().flat_map(files_of).chain(tls.client_ca.iter().cloned()).chain(tls.crl.iter().cloned())
        });
        of_tls.map(move |path| (format!("input \"{}\"", input.id), path))
    })
}

/// The same of the outputs.
fn output_files(config: &Config) -> impl Iterator<Item = (String, PathBuf)> {
    config.outputs.iter().flat_map(|output| {
        let tls = match &output.kind {
            OutputKind::Forward(forward) => forward.tls.as_ref(),
            OutputKind::File(_) => None,
        };
        let of_tls = tls.into_iter().flat_map(|tls| {
            std::iter::once(tls.ca.clone()).chain(tls.identity.iter().cloned().flat_map(files_of))
        });
        of_tls.map(move |path| (format!("output \"{}\"", output.id), path))
    })
}

fn files_of(pair: CertificatePair) -> [PathBuf; 2] {
    [pair.cert, pair.key]
}

/// A server that is started here, by this user, would end with that.
fn unreadable(of: &str, path: &Path) -> Option<String> {
    let error = File::open(path).err()?;
    Some(format!("{of}: cannot read {} here: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(text: &str) -> Vec<String> {
        config_notes(&Config::parse(text, None, &|_| None).unwrap())
    }

    #[test]
    fn certificates_that_are_not_there_are_noted() {
        let there = tempfile::NamedTempFile::new().unwrap();
        let there = there.path().display();
        let notes = notes(&format!(
            "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
             tls = {{ cert = \"{there}\", key = \"/nowhere/key\", client_ca = \"/nowhere/ca\", crl = \"/nowhere/crl\" }}\n\
             [[output]]\nid = \"up\"\ntype = \"forward\"\nmatch = \"**\"\nservers = [{{ address = \"a:1\" }}]\n\
             tls = {{ ca = \"{there}\", cert = \"/nowhere/cert\", key = \"{there}\" }}\n"
        ));
        let begins = [
            "input \"edge\": cannot read /nowhere/key",
            "/nowhere/ca",
            "/nowhere/crl",
            "output \"up\": cannot",
            "`hikyaku certs` makes certificates",
        ];
        assert_eq!(notes.len(), begins.len(), "{notes:#?}");
        assert!(notes.iter().zip(begins).all(|(note, text)| note.contains(text)), "{notes:#?}");
    }

    #[test]
    fn events_without_an_output_are_noted() {
        let noted = |take: &str| {
            !notes(&format!(
                "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
                 [[output]]\nid = \"bad\"\ntype = \"file\"\ninvalid = true\npath = \"bad\"\n\
                 [[output]]\nid = \"a\"\ntype = \"file\"\npath = \"a\"\n{take}\n"
            ))
            .is_empty()
        };
        assert!(!noted("fallback = true"));
        assert!(!noted("match = \"a **\""));
        assert!(noted("match = \"a.**\""));
        assert!(noted("match = \"**\"\nwhere = \"a = 1\""));
        assert!(!noted("match = \"**\"\nrequire = [\"a\"]"), "what it refuses is for `invalid`");
    }
}
