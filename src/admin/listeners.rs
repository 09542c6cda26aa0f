//! The sockets that operators connect to, bound before anything is served.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use crate::config::Config;

/// One bound socket a section; `None` where the section is switched off.
#[derive(Debug, Default)]
pub struct Listeners {
    /// `[health]`
    pub health: Option<TcpListener>,
    /// `[monitor_agent]`
    pub monitor_agent: Option<TcpListener>,
    /// `[metrics]`
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    /// Binds all of them; `Err` has every one that could not be bound, and then none stays bound.
    pub fn bind(config: &Config) -> Result<Self, Vec<BindError>> {
        let mut errors = Vec::new();
        let mut bind = |section, listen: Option<SocketAddr>| {
            bind(section, listen?).map_err(|error| errors.push(error)).ok()
        };
        let listeners = Self {
            health: bind("health", config.health.as_ref().map(|health| health.listen)),
            monitor_agent: bind("monitor_agent", config.monitor_agent.as_ref().map(|agent| agent.listen)),
            metrics: bind("metrics", config.metrics.as_ref().map(|metrics| metrics.listen)),
        };
        if errors.is_empty() { Ok(listeners) } else { Err(errors) }
    }
}

/// A socket that the operating system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for [{section}]: {}. {}", reason(.source), advice(.source, .section))]
pub struct BindError {
    /// The section of the config that asked for it.
    pub section: &'static str,
    /// Its `listen`.
    pub address: SocketAddr,
    /// What the operating system said.
    pub source: io::Error,
}

fn bind(section: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|source| BindError { section, address, source })
}

fn reason(source: &io::Error) -> String {
    match source.kind() {
        kind @ (ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied) => {
            kind.to_string()
        }
        _ => source.to_string(),
    }
}

fn advice(source: &io::Error, section: &str) -> String {
    match source.kind() {
        ErrorKind::AddrInUse => format!("Stop the other process or change {section}.listen"),
        ErrorKind::AddrNotAvailable => {
            format!("This machine does not have that address: change {section}.listen")
        }
        ErrorKind::PermissionDenied => {
            format!("Ports below 1024 need a privilege: change {section}.listen")
        }
        _ => format!("Change {section}.listen"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::config::{
        AdminConfig, DeadLettersConfig, JournalConfig, LogConfig, LogFormat, MetricsConfig, ServerConfig,
    };

    fn config(health: SocketAddr, metrics: SocketAddr) -> Config {
        Config {
            path: None,
            server: ServerConfig {
                name: "logserver-1".to_owned(),
                data_dir: PathBuf::from("data"),
                shutdown_timeout: Duration::from_secs(30),
            },
            log: LogConfig {
                format: LogFormat::Auto,
                level: tracing::level_filters::LevelFilter::INFO,
                fold: std::time::Duration::ZERO,
                modules: BTreeMap::new(),
            },
            dead_letters: DeadLettersConfig { max_size: 1 << 30 },
            journal: JournalConfig {
                max_size: 2 << 30,
                when_full: crate::config::WhenFull::Block,
                segment_size: 64 << 20,
                memory: 64 << 20,
                pace: Duration::ZERO,
                retain: Duration::ZERO,
                dedup_window: Duration::from_secs(600),
                dedup_max_ids: 1_000_000,
                compression: None,
                dedup_max_ids_by_sender: 100_000,
                dedup_max_size: 256 << 20,
            },
            inputs: Vec::new(),
            filters: Vec::new(),
            outputs: Vec::new(),
            routing: Default::default(),
            health: Some(AdminConfig { listen: health }),
            monitor_agent: None,
            metrics: Some(MetricsConfig { listen: metrics, max_label_values: 1000 }),
        }
    }

    #[test]
    fn a_section_that_is_switched_off_is_not_bound() {
        let free = "127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(&config(free, free)).unwrap();
        assert!(listeners.health.is_some() && listeners.metrics.is_some());
        assert!(listeners.monitor_agent.is_none());
    }

    #[test]
    fn every_address_that_cannot_be_had_is_reported_at_once() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = "192.0.2.1:0".parse().unwrap();
        let errors = Listeners::bind(&config(taken.local_addr().unwrap(), elsewhere)).unwrap_err();
        let sections: Vec<&str> = errors.iter().map(|error| error.section).collect();
        assert_eq!(sections, ["health", "metrics"]);
    }

    #[test]
    fn an_address_in_use_is_reported_with_its_section_and_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(
            bind("health", address).unwrap_err().to_string(),
            format!(
                "cannot listen on {address} for [health]: address in use. \
                 Stop the other process or change health.listen"
            )
        );
    }

    #[test]
    fn an_address_of_another_machine_is_reported() {
        let error = bind("metrics", "192.0.2.1:0".parse().unwrap()).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot listen on 192.0.2.1:0 for [metrics]: address not available. \
             This machine does not have that address: change metrics.listen"
        );
    }
}
