//! A forward input on a free port.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hikyaku::config::{InputConfig, TlsConfig};
use hikyaku::input::forward::ForwardInput;
use hikyaku::metrics::Metrics;
use hikyaku::tls::reload::ReloadTrigger;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::journal::ScriptedJournal;

pub(crate) struct Server {
    /// Of a Unix socket there is none, and port 0 stands in.
    pub(crate) address: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    reload: Option<ReloadTrigger>,
}

pub(crate) fn config(tls: Option<TlsConfig>) -> InputConfig {
    InputConfig {
        id: "edge".to_owned(),
        pipeline: None,
        listen: "127.0.0.1:0".parse().unwrap(),
        tls,
        security: None,
        max_connections: 100,
        handshake_timeout: Duration::from_secs(10),
        max_message_size: 1 << 20,
        spool_above: 8 << 20,
        max_spool_size: 1 << 30,
        min_rate: 64 << 10,
        max_entry_size: 16 << 20,
        max_depth: 128,
        max_inflated_size: 1 << 20,
        max_inflate_ratio: 1000,
        max_in_flight: 4 << 20,
        max_in_flight_by_sender: 4 << 20,
        max_pending_acks: 64,
        max_connections_by_sender: 100,
        max_handshakes_by_address: 100,
        idle_timeout: None,
        stall_timeout: Duration::from_secs(60),
        max_events_per_second: None,
        max_bytes_per_second: None,
        refusal_window: Duration::from_secs(3600),
        max_remembered_refusals: 100,
        socket_mode: 0o660,
        udp_heartbeat: true,
        tag: None,
        add_tag_prefix: None,
        metadata_field: None,
        ownership: None,
        resolve_hostname: false,
    }
}

impl Server {
    pub(crate) fn start(config: &InputConfig, journal: &ScriptedJournal) -> Self {
        let input = ForwardInput::bind(config).unwrap();
        let address = input.local_addr().tcp().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        let reload = input.reload_trigger();
        let metrics = Metrics::new("test", 100);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(input.run(journal.clone(), metrics.input(&config.id), shutdown.clone()));
        Self { address, metrics, shutdown, running, reload }
    }

    pub(crate) fn plain(journal: &ScriptedJournal) -> Self {
        Self::start(&config(None), journal)
    }

    /// Has the TLS files looked at, and waits for the outcome.
    pub(crate) async fn reload(&self, result: &str) {
        let before = self.samples().reloads(result);
        self.reload.as_ref().unwrap().fire();
        self.until(|samples| samples.reloads(result) > before).await;
    }

    pub(crate) fn begin_shutdown(&self) {
        self.shutdown.cancel();
    }

    /// Waits until every connection has ended, and gives the metrics as they are then.
    pub(crate) async fn stop(self) -> Samples {
        self.shutdown.cancel();
        self.running.await.unwrap();
        Samples(self.metrics.render().unwrap())
    }

    /// Waits for what no client can see.
    pub(crate) async fn until(&self, happened: impl Fn(&Samples) -> bool) {
        while !happened(&self.samples()) {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn samples(&self) -> Samples {
        Samples(self.metrics.render().unwrap())
    }
}

pub(crate) struct Samples(String);

impl Samples {
    /// The sample whose name and labels are this; 0 where there is none.
    pub(crate) fn get(&self, sample: &str) -> i64 {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
            .map_or(0, |value| value.parse().unwrap())
    }

    pub(crate) fn refused(&self, reason: &str) -> i64 {
        self.get(&format!("hikyaku_input_refused_connections_total{{input=\"edge\",reason=\"{reason}\"}}"))
    }

    pub(crate) fn reloads(&self, result: &str) -> i64 {
        self.get(&format!("hikyaku_tls_reloads_total{{id=\"edge\",result=\"{result}\"}}"))
    }

    pub(crate) fn rejected(&self, reason: &str) -> i64 {
        self.get(&format!("hikyaku_input_rejected_messages_total{{input=\"edge\",reason=\"{reason}\"}}"))
    }

    pub(crate) fn input(&self, name: &str) -> i64 {
        self.get(&format!("hikyaku_input_{name}{{input=\"edge\"}}"))
    }

    /// Seconds that connections waited at a limit.
    pub(crate) fn throttled(&self, limit: &str) -> f64 {
        let sample = format!("hikyaku_input_throttled_seconds_total{{input=\"edge\",limit=\"{limit}\"}} ");
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(&*sample))
            .map_or(0.0, |value| value.parse().unwrap())
    }

    pub(crate) fn of_tag(&self) -> i64 {
        self.get("fluentd_input_status_num_records_total{hostname=\"test\",tag=\"test.tag\"}")
    }
}
