//! `allow` and `owners` of an input.

use super::document::Read;
use super::{Table, Value};
use crate::config::{
    FileOutputConfig, InputConfig, ListenAddress, OutputConfig, OutputKind, OutputTake, OwnershipConfig,
    OwnershipRow,
};
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::ownership::SenderPattern;
use crate::pipeline::template::{Proof, SenderTemplate, path_value};

type Fields = Vec<(FieldPath, Vec<SenderTemplate>)>;

pub(super) fn ownership(table: &Table<'_>) -> Read<Option<OwnershipConfig>> {
    let allow = table.optional("allow", fields);
    let owners = table.optional("owners", owners);
    let anyone = allow?.map(|fields| OwnershipRow { senders: SenderPattern::anyone(), fields });
    let rows: Vec<_> = anyone.into_iter().chain(owners?.unwrap_or_default()).collect();
    Ok((!rows.is_empty()).then_some(OwnershipConfig { rows }))
}

fn owners(value: Value<'_>) -> Read<Vec<OwnershipRow>> {
    let document = value.document;
    let whole = value.clone();
    let rows: Vec<_> = (value.map()?.into_iter())
        .map(|(name, at, value)| {
            let senders = SenderPattern::parse(name).map_err(|error| document.report(&at, error.message));
            let fields = fields(value);
            Ok(OwnershipRow { senders: senders?, fields: fields? })
        })
        .collect();
    if rows.is_empty() {
        return Err(
            whole.report("`owners` is empty: nobody could write anything; leave it out, or name senders")
        );
    }
    rows.into_iter().collect()
}

fn fields(value: Value<'_>) -> Read<Fields> {
    let document = value.document;
    let whole = value.clone();
    let fields: Vec<_> = (value.map()?.into_iter())
        .map(|(name, at, value)| {
            let field = FieldPath::parse(name).map_err(|error| document.report(&at, error.message));
            let values = templates(value);
            Ok((field?, values?))
        })
        .collect();
    if fields.is_empty() {
        return Err(whole.report("expected at least one field and the values that may be written there"));
    }
    fields.into_iter().collect()
}

fn templates(value: Value<'_>) -> Read<Vec<SenderTemplate>> {
    if value.value.is_str() {
        return value.syntax(SenderTemplate::parse).map(|template| vec![template]);
    }
    let list = value.clone().list().map_err(|_| value.report("expected text or a list of texts"))?;
    if list.is_empty() {
        return Err(
            value.report("the list is empty: nothing would be allowed; leave the sender out for that")
        );
    }
    let templates: Vec<_> = list.into_iter().map(|value| value.syntax(SenderTemplate::parse)).collect();
    templates.into_iter().collect()
}

/// What no sender of the input can ever prove was meant for another input.
pub(super) fn proofs(table: &Table<'_>, input: &InputConfig) {
    let Some(ownership) = &input.ownership else { return };
    let is_unix = matches!(input.listen, ListenAddress::Unix(_));
    let has_certificates = input.tls.as_ref().is_some_and(|tls| !tls.client_ca.is_empty());
    let has_users = input.security.as_ref().is_some_and(|security| !security.users.is_empty());
    let lacks = |proof| match proof {
        Proof::Certificate if !has_certificates => {
            Some("has no `client_ca` in `tls`, so that no sender shows a certificate")
        }
        Proof::User if !has_users => Some("has no `users` in `security`, so that no sender proves to be one"),
        Proof::Address if is_unix => Some("listens on a Unix socket, where senders have no address"),
        _ => None,
    };
    for row in &ownership.rows {
        let key = if row.senders == SenderPattern::anyone() { "allow" } else { "owners" };
        if row.senders.is_of_unix_socket() && !is_unix {
            table.report(key, format!("`{}` fits nobody: the input listens on a port", row.senders));
        }
        if let Some(why) = lacks(row.senders.proof()) {
            table.report(key, format!("`{}` fits nobody: the input {why}", row.senders));
        }
        for template in row.fields.iter().flat_map(|(_, templates)| templates) {
            if let Some(why) = template.proofs().find_map(lacks) {
                table.report(key, format!("`{template}` allows nothing: the input {why}"));
            }
        }
    }
}

/// What is not a sender's to write needs a place, which no sender can choose; and no two values of different senders may
/// meet in one folder.
pub(super) fn places(inputs: &[(&Table<'_>, &InputConfig)], outputs: &[(&Table<'_>, &OutputConfig)]) {
    let bound: Vec<_> =
        inputs.iter().filter_map(|(table, input)| Some((*table, input.ownership.as_ref()?))).collect();
    let key = |table: &Table<'_>| if table.has("allow") { "allow" } else { "owners" };
    let invalid = outputs.iter().find(|(_, output)| matches!(output.take, OutputTake::Invalid));
    if invalid.is_none() {
        for (table, _) in &bound {
            let message =
                "what is not its sender's to write would have no place; add an output with `invalid = true`";
            table.report(key(table), message);
        }
    }
    let fields: Vec<&FieldPath> = bound.iter().flat_map(|(_, ownership)| ownership.fields()).collect();
    if let Some((table, OutputConfig { kind: OutputKind::File(file), .. })) = invalid
        && let Some(field) = fields.iter().find(|field| set_of(file, field).is_some())
    {
        table.report(
            "path",
            format!(
                "`{{{field}}}` is bound to its senders by an input, and here lies what they may not write: it would lie \
                 in the folder of their choice; name it after `{{@sender}}` or `{{@input}}`"
            ),
        );
    }
    let files: Vec<_> = outputs
        .iter()
        .filter_map(|(_, output)| match &output.kind {
            OutputKind::File(file) => Some((output.id.as_str(), &**file)),
            OutputKind::Forward(_) => None,
        })
        .collect();
    for (table, one, other) in collisions(&bound, &files) {
        table.report(
            key(table),
            format!("{one} and {other} would share a folder: `path` writes both the same way"),
        );
    }
}

/// Constants that differ and are the same in the path of a file.
fn collisions<'t, 'a>(
    bound: &[(&'t Table<'a>, &OwnershipConfig)],
    files: &[(&str, &FileOutputConfig)],
) -> Vec<(&'t Table<'a>, String, String)> {
    let mut found = Vec::new();
    for (_, file) in files {
        let mut seen = std::collections::HashMap::new();
        for (table, ownership) in bound {
            for (field, templates) in ownership.rows.iter().flat_map(|row| &row.fields) {
                let Some(characters) = set_of(file, field) else { continue };
                for value in templates.iter().filter_map(SenderTemplate::constant) {
                    let in_path = path_value(value.as_bytes(), &characters);
                    let earlier: &mut &str = seen.entry((field.keys(), in_path)).or_insert(value);
                    if *earlier != value {
                        found.push((*table, format!("{earlier:?}"), format!("{value:?}")));
                    }
                }
            }
        }
    }
    found.dedup_by(|one, other| (&one.1, &one.2) == (&other.1, &other.2));
    found
}

/// The characters that a field keeps in the path of a file; `None` where it is not in there.
fn set_of(file: &FileOutputConfig, field: &FieldPath) -> Option<CharacterSet> {
    let is_field = |name: &&str| FieldPath::parse(name).is_ok_and(|path| path.keys() == field.keys());
    let name = file.path.placeholders().find(is_field)?;
    Some(file.path_characters.get(name).cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests;
