//! `type = "relabel"`: sends events to the front of other pipelines.

/// The numbers of the pipelines that events go to; at least one.
#[derive(Debug)]
pub(in crate::pipeline) struct Relabel {
    pub(in crate::pipeline) to: Vec<usize>,
}
