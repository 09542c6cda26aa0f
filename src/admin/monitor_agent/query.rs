//! The queries that Fluentd's monitor agent knows.

use std::borrow::Cow;

use super::plugin_info::{Category, PluginInfo};
use crate::config::OutputTake;

/// A query string, as far as it means something here; the rest is ignored, as in Fluentd.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    selection: Selection,
    pub(super) show: Show,
}

/// Which parts of a plugin are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Show {
    /// `with_config`, on by default.
    pub(super) config: bool,
    /// `with_retry`, on by default.
    pub(super) retry: bool,
    /// `debug` with any value: more counters, on more than one line.
    pub(super) debug: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Selection {
    All,
    /// `tag`: the outputs that this tag goes to.
    Tag(String),
    /// `@id`, `id`
    Id(String),
    /// `@type`, `type`
    Kind(String),
}

impl Query {
    /// Of several selections the tag wins over the id and the id over the type; of a repeated key the first counts.
    pub(super) fn parse(query: &str) -> Self {
        let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(query.as_bytes()).collect();
        let value = |names: &[&str]| {
            names.iter().find_map(|name| pairs.iter().find(|(key, _)| key == name)).map(|(_, value)| value)
        };
        let selected = |names: &[&str]| value(names).map(|value| value.clone().into_owned());
        let selection = selected(&["tag"])
            .map(Selection::Tag)
            .or_else(|| selected(&["@id", "id"]).map(Selection::Id))
            .or_else(|| selected(&["@type", "type"]).map(Selection::Kind))
            .unwrap_or(Selection::All);
        let switch = |name| value(&[name]).is_none_or(|value| matches!(&**value, "true" | "yes" | ""));
        let show = Show {
            config: switch("with_config"),
            retry: switch("with_retry"),
            debug: value(&["debug"]).is_some(),
        };
        Self { selection, show }
    }

    /// The plugins that were asked for.
    pub(super) fn select(&self, mut plugins: Vec<PluginInfo>) -> Vec<PluginInfo> {
        match &self.selection {
            Selection::All => {}
            Selection::Tag(tag) => return outputs_of(tag, plugins),
            Selection::Id(id) => plugins.retain(|plugin| plugin.plugin_id == *id),
            Selection::Kind(kind) => plugins.retain(|plugin| plugin.kind == *kind),
        }
        plugins
    }
}

/// Every output whose `match` takes the tag, else the fallback.
fn outputs_of(tag: &str, plugins: Vec<PluginInfo>) -> Vec<PluginInfo> {
    let mut matching = Vec::new();
    let mut fallback = Vec::new();
    for plugin in plugins {
        match &plugin.category {
            Category::Output { take: OutputTake::Match { tags, .. }, .. } if tags.matches(tag) => {
                matching.push(plugin);
            }
            Category::Output { take: OutputTake::Fallback, .. } => fallback.push(plugin),
            _ => {}
        }
    }
    if matching.is_empty() { fallback } else { matching }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_query_everything_is_shown() {
        let all = Query { selection: Selection::All, show: Show { config: true, retry: true, debug: false } };
        assert_eq!(Query::parse(""), all);
        assert_eq!(Query::parse("unknown=1&&=&%zz"), all);
    }

    #[test]
    fn selections_have_fluentds_order() {
        let selection = |query| Query::parse(query).selection;
        assert_eq!(selection("@type=file&@id=a&tag=nginx.access"), Selection::Tag("nginx.access".to_owned()));
        assert_eq!(selection("type=file&id=b&%40id=a"), Selection::Id("a".to_owned()));
        assert_eq!(selection("%40type=file"), Selection::Kind("file".to_owned()));
        assert_eq!(selection("id=a+b%2Fc&id=d"), Selection::Id("a b/c".to_owned()));
    }

    #[test]
    fn config_and_retry_can_be_switched_off() {
        let show = Query::parse("with_config=false&with_retry=no&debug=1").show;
        assert_eq!(show, Show { config: false, retry: false, debug: true });
        assert!(Query::parse("with_config=yes").show.config);
    }
}
