//! What a program sees as `%name`: what is known about an event beside its record.

use vrl::value::kind::Collection;
use vrl::value::{Kind, Value};

use super::value::{text, timestamp, to_vrl};
use crate::pipeline::filter::Context;

/// What a program may give the event anew.
pub(super) const WRITABLE: [&str; 2] = ["tag", "time"];

/// Every name.
pub(super) const NAMES: [&str; 16] = [
    "tag",
    "time",
    "received_at",
    "server",
    "input",
    "sender",
    "source_address",
    "source_hostname",
    "user",
    "subject",
    "fingerprint",
    "san_dns",
    "san_uri",
    "san_ip",
    "san_email",
    "metadata",
];

/// The type of a name, for the compiler.
pub(super) fn kind(name: &str) -> Kind {
    match name {
        "tag" | "server" | "input" | "sender" => Kind::bytes(),
        "time" | "received_at" => Kind::timestamp(),
        "san_dns" | "san_uri" | "san_ip" | "san_email" => {
            Kind::array(Collection::from_unknown(Kind::bytes()))
        }
        "metadata" => Kind::object(Collection::any()),
        _ => Kind::bytes().or_null(),
    }
}

/// The value of a name in one event.
pub(super) fn value(name: &str, context: &Context<'_>) -> Value {
    let source = context.source;
    let optional = |value: Option<&str>| value.map_or(Value::Null, |value| text(value.as_bytes()));
    let alternative_names = |kind: &str| {
        let names = source.alternative_names.iter();
        let names = names.filter_map(|name| name.strip_prefix(kind)?.strip_prefix(':'));
        Value::Array(names.map(|name| text(name.as_bytes())).collect())
    };
    match name {
        "tag" => text(source.tag),
        "time" => timestamp(context.time),
        "received_at" => timestamp(source.received_at),
        "server" => text(context.server.as_bytes()),
        "input" => text(source.input.as_bytes()),
        "sender" => text(source.sender.as_bytes()),
        "source_address" => optional(source.source_address),
        "source_hostname" => optional(source.host_name),
        "user" => optional(source.user),
        "subject" => optional(source.subject),
        "fingerprint" => optional(source.fingerprint),
        "san_dns" => alternative_names("DNS"),
        "san_uri" => alternative_names("URI"),
        "san_ip" => alternative_names("IP"),
        "san_email" => alternative_names("email"),
        "metadata" => context.metadata.map(to_vrl).filter(Value::is_object).unwrap_or_else(empty),
        _ => Value::Null,
    }
}

/// An object without fields.
pub(super) fn empty() -> Value {
    Value::Object(Default::default())
}
