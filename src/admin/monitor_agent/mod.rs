//! Fluentd's monitor agent: `/api/plugins.json` and `/api/config.json`, and both as LTSV without the ending.
//!
//! Keys, their order and the queries are those of Fluentd's `in_monitor_agent` (1.12 to 1.19), so that what reads
//! Fluentd's answers reads these. What differs: `?tag=` lists every output that takes the tag, where Fluentd has only
//! the first; and `?debug=1` shows counters, where Fluentd shows the variables of a Ruby object.

mod config_keys;
mod plugin_info;
mod plugins;
mod pool_keys;
mod process_info;
mod query;
mod row;

use hyper::StatusCode;
use serde::Serialize;

use self::query::Query;
use self::row::Row;
use super::http::Routes;
use super::responses::{self, Answer};

pub use plugin_info::{Category, InputNumbers, OutputNumbers, PluginInfo};
pub use plugins::{filter_plugin, input_plugin, output_plugin, plugins};
pub use process_info::ProcessInfo;

pub(super) struct MonitorAgentRoutes {
    pub(super) plugins: Box<dyn Fn() -> Vec<PluginInfo> + Send + Sync>,
    pub(super) process: ProcessInfo,
}

#[derive(Serialize)]
struct Plugins {
    plugins: Vec<Row>,
}

impl Routes for MonitorAgentRoutes {
    fn answer(&self, path: &str, query: &str) -> Option<Answer> {
        let query = Query::parse(query);
        match path {
            "/api/plugins.json" => Some(json_answer(&Plugins { plugins: self.plugin_rows(&query) }, &query)),
            "/api/plugins" => Some(ltsv_answer(&self.plugin_rows(&query))),
            "/api/config.json" => Some(json_answer(&self.process.row(), &query)),
            "/api/config" => Some(ltsv_answer(&[self.process.row()])),
            _ => None,
        }
    }
}

impl MonitorAgentRoutes {
    fn plugin_rows(&self, query: &Query) -> Vec<Row> {
        query.select((self.plugins)()).iter().map(|plugin| plugin.row(query.show)).collect()
    }
}

fn json_answer(body: &impl Serialize, query: &Query) -> Answer {
    if query.show.debug { responses::pretty_json(body) } else { responses::json(StatusCode::OK, body) }
}

fn ltsv_answer(rows: &[Row]) -> Answer {
    responses::text("text/plain", rows.iter().map(Row::ltsv).collect())
}

#[cfg(test)]
mod tests;
