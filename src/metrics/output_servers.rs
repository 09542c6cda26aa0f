//! What is counted about the upstream servers of an output.

use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::labels::safe;
use super::{counter_family, gauge_family, register};

/// The families over all outputs.
#[derive(Debug, Clone)]
pub(super) struct ServerFamilies {
    up: IntGaugeVec,
    failures: IntCounterVec,
    transitions: IntCounterVec,
    lookup_failures: IntCounterVec,
}

const SERVER: [&str; 2] = ["output", "server"];

impl ServerFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let count = |name, help, labels: &[&str]| register(registry, counter_family(name, help, labels));
        Self {
            up: register(
                registry,
                gauge_family(
                    "hikyaku_output_server_up",
                    "1 while an upstream server is used, 0 while it is down.",
                    &SERVER,
                ),
            ),
            failures: count(
                "hikyaku_output_server_failures_total",
                "Connections and deliveries that failed, by upstream server.",
                &SERVER,
            ),
            transitions: count(
                "hikyaku_output_server_transitions_total",
                "How often an upstream server went down or came back.",
                &["output", "server", "to"],
            ),
            lookup_failures: count(
                "hikyaku_output_srv_lookup_failures_total",
                "SRV lookups that failed; the servers known before stay.",
                &["output"],
            ),
        }
    }

    pub(super) fn bind(&self, output: &str) -> OutputServersMetrics {
        OutputServersMetrics { families: self.clone(), output: safe(output) }
    }
}

/// The servers of one output. Their names come from the configuration or are bounded in number where the DNS brings
/// them.
#[derive(Debug, Clone)]
pub struct OutputServersMetrics {
    families: ServerFamilies,
    output: String,
}

impl OutputServersMetrics {
    /// There is a server, which counts as up.
    pub fn added(&self, server: &str) {
        let server = safe(server);
        let labels = [self.output.as_str(), &server];
        self.families.up.with_label_values(&labels).set(1);
        self.families.failures.with_label_values(&labels);
    }

    /// There is no such server any more: its samples go, so that names that come and go don't add up.
    pub fn removed(&self, server: &str) {
        let server = safe(server);
        let labels = [self.output.as_str(), &server];
        // Absent where the server never had such an event.
        let _ = self.families.up.remove_label_values(&labels);
        let _ = self.families.failures.remove_label_values(&labels);
        for to in ["up", "down"] {
            let _ = self.families.transitions.remove_label_values(&[&self.output, &server, to]);
        }
    }

    /// A server went down or came back.
    pub fn turned(&self, server: &str, up: bool) {
        let server = safe(server);
        self.families.up.with_label_values(&[&self.output, &server]).set(up.into());
        let to = if up { "up" } else { "down" };
        self.families.transitions.with_label_values(&[&self.output, &server, to]).inc();
    }

    /// A connection or a delivery failed.
    pub fn failed(&self, server: &str) {
        self.families.failures.with_label_values(&[&self.output, &safe(server)]).inc();
    }

    /// An SRV lookup failed.
    pub fn lookup_failed(&self) {
        self.families.lookup_failures.with_label_values(&[&self.output]).inc();
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn a_server_has_samples_from_the_start_until_it_is_removed() {
        let metrics = Metrics::new("logserver-1", 10);
        let servers = metrics.output_servers("upstream");
        let has = |sample: &str| metrics.render().unwrap().lines().any(|line| line == sample);
        servers.added("a:24224");
        assert!(has(r#"hikyaku_output_server_up{output="upstream",server="a:24224"} 1"#));
        assert!(has(r#"hikyaku_output_server_failures_total{output="upstream",server="a:24224"} 0"#));
        servers.failed("a:24224");
        servers.turned("a:24224", false);
        assert!(has(r#"hikyaku_output_server_up{output="upstream",server="a:24224"} 0"#));
        assert!(has(r#"hikyaku_output_server_failures_total{output="upstream",server="a:24224"} 1"#));
        assert!(has(
            r#"hikyaku_output_server_transitions_total{output="upstream",server="a:24224",to="down"} 1"#
        ));
        servers.turned("a:24224", true);
        servers.removed("a:24224");
        assert!(!metrics.render().unwrap().contains("a:24224"));
    }
}
