//! Paths of which only a part is known.

use std::collections::BTreeMap;

use super::path_parts::{PathPart, PathTemplate};
use super::path_time::Conversion;
use super::path_value::write_path_value;
use super::placeholder::Resolved;
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::event::Event;

impl PathTemplate {
    /// The path of events of which tag, input and server are known: what depends on anything else stays as it is written.
    /// Character sets as for [`PathRenderer`](super::PathRenderer).
    pub fn sketch(&self, characters: &BTreeMap<String, CharacterSet>, event: &Event<'_>) -> String {
        let mut path = Vec::new();
        for (at, component) in self.components.iter().enumerate() {
            if at > 0 || self.absolute {
                path.push(b'/');
            }
            for part in &component.parts {
                match part {
                    PathPart::Literal(literal) => path.extend_from_slice(literal.as_bytes()),
                    PathPart::Conversion(conversion) => path.extend_from_slice(&written(*conversion)),
                    PathPart::Placeholder(placeholder, name) if placeholder.is_of_the_tag() => {
                        let value = match placeholder.resolve(event) {
                            Resolved::Text(text) => Some(text),
                            _ => None,
                        };
                        let kept = characters.get(name).cloned().unwrap_or_default();
                        write_path_value(&mut path, value, &kept, component.value_limit);
                    }
                    PathPart::Placeholder(_, name) => {
                        path.extend_from_slice(format!("{{{name}}}").as_bytes())
                    }
                }
            }
        }
        String::from_utf8_lossy(&path).into_owned()
    }
}

fn written(conversion: Conversion) -> Vec<u8> {
    let letter = Conversion::LETTERS.iter().find(|(_, known)| *known == conversion);
    letter.map(|(letter, _)| format!("%{letter}").into_bytes()).unwrap_or_default()
}
