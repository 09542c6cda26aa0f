//! The forward outputs of a configuration, opened.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::back_off::BackOff;
use super::connection::{Connector, ConnectorTls};
use super::courier::Courier;
use super::delivery::ForwardOutput;
use super::failures::Failures;
use super::idle::Idle;
use super::message_id::MessageIds;
use super::packer::Packer;
use super::pool::Pool;
use super::resolve::SystemLookup;
use super::retry_limit::RetryLimit;
use super::sent_log::SentLog;
use crate::config::{ClientTlsConfig, ForwardOutputConfig, OutputConfig};
use crate::journal::cursor_attributes::THROTTLE;
use crate::journal::{CursorError, Journal};
use crate::metrics::Metrics;
use crate::output::given_up::{GivenUp, HoldError};
use crate::pipeline::Pipeline;
use crate::tls::client::{ClientFiles, ReloadingClientConfig};
use crate::tls::pem::TlsError;

/// An output that can't be opened. The operator must act; nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    GivenUp(#[from] HoldError),
    #[error("output {output}: {source}")]
    Tls { output: String, source: TlsError },
    #[error(
        "output {output}: no server can be used, and verify_connection_at_startup is set: {}",
        reasons.join("; ")
    )]
    Unreachable { output: String, reasons: Vec<String> },
}

/// Opens an output of the configuration. Connects to its servers first, where it is told to.
pub async fn open_output(
    config: &OutputConfig,
    forward: &ForwardOutputConfig,
    data_dir: &Path,
    journal: &Journal,
    given_up: Option<&GivenUp>,
    pipeline: &Pipeline,
    metrics: &Metrics,
) -> Result<ForwardOutput, OpenError> {
    let tls = forward.tls.as_ref().map(connector_tls).transpose();
    let tls = tls.map_err(|source| OpenError::Tls { output: config.id.clone(), source })?;
    let tls_files = tls.as_ref().map(|tls| (Arc::clone(&tls.config), metrics.tls(&config.id)));
    let connector = Connector {
        tls,
        self_hostname: forward.self_hostname.clone().unwrap_or_else(|| pipeline.server_name().to_owned()),
        connect_timeout: forward.connect_timeout,
        send_timeout: forward.send_timeout,
        ack_timeout: forward.ack_timeout,
    };
    let lookup = Arc::new(SystemLookup::default());
    let pool = Pool::new(&config.id, &forward.pool, lookup, metrics.output_servers(&config.id));
    if forward.verify_connection_at_startup {
        verify(&config.id, &connector, &pool).await?;
    }
    let cursor = journal.attach(&config.id, config.start)?;
    cursor.limit_backlog(&config.backlog);
    let output_metrics = metrics.output(&config.id, config.kind.name());
    let selector = || {
        pipeline
            .selector(&config.id)
            .expect("the pipeline is made from the configuration that this output is in")
    };
    let (mut selector, retried) = (selector(), selector());
    selector.resume(cursor.attribute(THROTTLE));
    let ids = MessageIds::new(&cursor.saved().journal, &config.id, cursor.saved().replays.number());
    let (retry_limit, hold) = RetryLimit::open(forward.give_up.as_ref(), given_up, &cursor, &ids)?;
    let packer = Packer::new(&config.id, forward, [selector, retried], ids, output_metrics.clone());
    let has_choice = forward.pool.servers.len() > 1 || forward.pool.srv.is_some();
    let sent_log = (has_choice && forward.acks)
        .then(|| Arc::new(SentLog::open(journal.storage(), data_dir, &config.id, cursor.saved().position)));
    let courier = Courier {
        output: config.id.clone(),
        pool,
        connector,
        idle: Idle::new(forward.keepalive_timeout, forward.connections),
        failures: Failures::new(&config.id),
        slots: Arc::new(Semaphore::new(forward.connections)),
        parking: Arc::new(Semaphore::new(forward.max_in_doubt)),
        retry_limit,
        in_doubt_timeout: forward.in_doubt_timeout,
        sent_log,
        back_off: BackOff::new(config.retry_min_interval, config.retry_max_interval),
        metrics: output_metrics,
        forward_metrics: metrics.forward_output(&config.id),
    };
    Ok(ForwardOutput::new(journal, cursor, packer, courier, forward.checkpoint_interval, tls_files, hold))
}

fn connector_tls(tls: &ClientTlsConfig) -> Result<ConnectorTls, TlsError> {
    let files = ClientFiles {
        ca: vec![tls.ca.clone()],
        identity: tls.identity.clone(),
        reload_interval: tls.reload_interval,
    };
    let config = Arc::new(ReloadingClientConfig::load(files)?);
    Ok(ConnectorTls { config, server_name: tls.server_name.clone() })
}

/// Fails where no server can be used; those that can't are named in the log otherwise.
async fn verify(output: &str, connector: &Connector, pool: &Pool) -> Result<(), OpenError> {
    let mut reasons = Vec::new();
    let mut is_usable = false;
    for target in pool.targets().await {
        match connector.open(&target).await {
            Ok(connection) => {
                is_usable = true;
                connection.close().await;
            }
            Err(error) => reasons.push(format!("{} ({}): {error}", target.name, target.address)),
        }
    }
    if !is_usable {
        return Err(OpenError::Unreachable { output: output.to_owned(), reasons });
    }
    for reason in reasons {
        tracing::warn!(output, reason, "a server can't be used yet");
    }
    Ok(())
}
