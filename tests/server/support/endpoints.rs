//! The endpoints of a server, for the end of its configuration.

/// All of them, on ports that the system chooses.
pub(crate) const ALL_ENDPOINTS: &str = r#"[health]
listen = "127.0.0.1:0"
[monitor_agent]
listen = "127.0.0.1:0"
[metrics]
listen = "127.0.0.1:0"
"#;

/// Those of a server that is asked for nothing but its metrics, on a port (0: any).
pub(crate) fn metrics_alone(port: u16) -> String {
    format!(
        r#"[health]
enabled = false
[monitor_agent]
enabled = false
[metrics]
listen = "127.0.0.1:{port}"
"#
    )
}
