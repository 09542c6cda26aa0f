//! Where an output puts an event.

use serde::Serialize;

use crate::config::{FileOutputConfig, ForwardOutputConfig, OutputConfig, OutputKind};
use crate::pipeline::event::Event;
use crate::pipeline::template::PathRenderer;

/// A file, or the servers of which one gets the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// With the placeholders that are not known left as they are written.
    Path(String),
    Servers(Vec<String>),
}

impl Target {
    /// For an event of which everything is known.
    pub(super) fn of(config: &OutputConfig, event: &Event<'_>) -> Self {
        match &config.kind {
            OutputKind::File(file) => Self::Path(renderer(file).render_path(event).display().to_string()),
            OutputKind::Forward(forward) => servers(forward),
        }
    }

    /// For an event of which neither record nor time is known; `with_tag`: whether its tag is.
    pub(super) fn sketch(config: &OutputConfig, event: &Event<'_>, with_tag: bool) -> Self {
        match &config.kind {
            OutputKind::File(file) if with_tag => Self::Path(file.path.sketch(&file.path_characters, event)),
            OutputKind::File(file) => Self::Path(file.path.to_string()),
            OutputKind::Forward(forward) => servers(forward),
        }
    }
}

fn renderer(file: &FileOutputConfig) -> PathRenderer {
    PathRenderer::new(&file.path, &file.path_characters, file.timezone.clone())
}

fn servers(forward: &ForwardOutputConfig) -> Target {
    let pool = &forward.pool;
    let named = pool.servers.iter().map(|server| {
        let standby = if server.standby { " (standby)" } else { "" };
        format!("{}{standby}", server.address)
    });
    let found = pool.srv.iter().map(|srv| format!("those of {}", srv.query()));
    Target::Servers(named.chain(found).collect())
}
