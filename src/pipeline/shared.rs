//! What the selectors of all outputs of a configuration share.

use std::collections::HashMap;
use std::sync::Arc;

use super::field_path::FieldPath;
use super::filter::Filter;
use super::ownership::{Mark, Ownership};
use super::pipelines::Pipelines;
use super::route::Routes;
use crate::config::{FilterConfig, OutputConfig};

/// Filters and routes of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) filters: Arc<[Filter]>,
    pub(super) routes: Arc<Routes>,
    pub(super) pipelines: Pipelines,
    pub(super) server: String,
    /// Where the metadata of events goes, by the `id` of their input.
    pub(super) metadata_fields: HashMap<String, FieldPath>,
    pub(super) ownership: Ownership,
    pub(super) mark: Mark,
}

impl Shared {
    pub(super) fn new(filters: &[FilterConfig], outputs: &[OutputConfig], server_name: &str) -> Self {
        let pipelines = Pipelines::new(filters, outputs);
        Self {
            filters: (1..)
                .zip(filters)
                .map(|(number, filter)| Filter::new(number, filter, &pipelines))
                .collect(),
            routes: Arc::new(Routes::new(outputs, &pipelines)),
            pipelines,
            server: server_name.to_owned(),
            metadata_fields: HashMap::new(),
            ownership: Ownership::default(),
            mark: Mark::default(),
        }
    }
}
