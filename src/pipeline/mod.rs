//! From a journalled chunk to events for an output: filters, routing, templates.
//!
//! Everything here is a pure function of the chunk: it asks no clock, no disk and no network, so that reading the
//! same chunk again gives the same bytes.

pub mod characters;
pub mod condition;
pub mod event;
mod explain;
mod failures;
pub mod field_cipher;
pub mod field_path;
mod filter;
mod fork;
pub mod json;
pub mod level;
mod metadata;
mod nested;
pub mod ownership;
pub mod patterns;
mod pipelines;
pub mod record;
mod records;
#[cfg(feature = "remap")]
pub mod remap;
mod route;
pub mod selector;
mod shared;
mod tag_decisions;
pub mod tag_pattern;
mod tally;
pub mod template;
pub mod throttle_state;
pub mod time_format;
pub mod time_source;
pub mod timestamp;
mod trial;
mod walk;

pub use event::{Event, Source};
pub use explain::{Answer, Change, Explanation, FilterAnswer, OutputAnswer, Target, explain};
pub use failures::Failure;
pub use metadata::OpenGroup;
pub use ownership::{Disowned, Reason};
pub use record::{RecordField, RecordFields};
pub use selector::Selector;
pub use tally::Tally;
pub use trial::Trial;

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{FilterConfig, InputConfig, OutputConfig};
use crate::journal::Position;
use ownership::Ownership;
use route::Routes;
use shared::Shared;

/// Filters and routes of a configuration, ready to run.
#[derive(Debug, Clone)]
pub struct Pipeline {
    shared: Arc<Shared>,
    /// By the id of an output: what it uses in place of this one before a position, ascending.
    earlier: HashMap<String, Vec<(Position, Pipeline)>>,
}

impl Pipeline {
    /// Filters apply in their order; `server_name` is what `{@server}` says.
    pub fn new(filters: &[FilterConfig], outputs: &[OutputConfig], server_name: &str) -> Self {
        Self { shared: Arc::new(Shared::new(filters, outputs, server_name)), earlier: HashMap::new() }
    }

    /// As if there were only these outputs; named pipelines stay, though no output may be left in them.
    pub(crate) fn only_for(self, keep: impl Fn(&str) -> bool) -> Self {
        let routes = Arc::new(self.shared.routes.only(keep));
        Self { shared: Arc::new(Shared { routes, ..Shared::clone(&self.shared) }), ..self }
    }

    /// With others that one output uses for what lies before their positions, which must ascend.
    pub(crate) fn with_earlier(mut self, output_id: &str, earlier: Vec<(Position, Self)>) -> Self {
        self.earlier.insert(output_id.to_owned(), earlier);
        self
    }

    /// With what the inputs say about their events: `pipeline`, `metadata_field`, and what their senders may write.
    pub fn with_inputs(self, inputs: &[InputConfig]) -> Self {
        let field = |input: &InputConfig| Some((input.id.clone(), input.metadata_field.clone()?));
        let metadata_fields = inputs.iter().filter_map(field).collect();
        let shared = Shared::clone(&self.shared);
        let pipelines = shared.pipelines.clone().with_inputs(inputs);
        let ownership = Ownership::new(inputs, shared.filters.iter().map(|filter| &filter.writes));
        Self { shared: Arc::new(Shared { metadata_fields, pipelines, ownership, ..shared }), ..self }
    }

    /// What `{@server}` says.
    pub fn server_name(&self) -> &str {
        &self.shared.server
    }

    /// For the reader of one output; `None` where no output has this `id`.
    pub fn selector(&self, output_id: &str) -> Option<Selector> {
        let output = self.shared.routes.find(output_id)?;
        let earlier = self.earlier.get(output_id).into_iter().flatten();
        let earlier = earlier
            .map(|(until, pipeline)| Some((*until, pipeline.selector(output_id)?)))
            .collect::<Option<_>>()?;
        let mut selector = Selector::new(Arc::clone(&self.shared), output);
        selector.earlier = earlier;
        Some(selector)
    }

    /// For the reader of one output that takes every event as it is, past filters and routes.
    pub fn unfiltered(&self, output_id: &str) -> Selector {
        let shared = Shared::new(&[], &[], &self.shared.server);
        let routes = Routes::everything(output_id, shared.pipelines.find(None));
        Selector::new(Arc::new(Shared { routes: Arc::new(routes), ..shared }), 0)
    }
}
