//! The pool with its loops running: names are answered by the test, servers are listeners on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::config::{HostPort, SrvConfig};
use crate::metrics::Metrics;
use crate::output::forward::resolve::ServiceRecord;
use crate::output::forward::resolve::fake::FakeLookup;
use crate::ports::reserved_address;

const QUERY: &str = "_fluentd._tcp.logs.example";

fn server(name: &str, address: HostPort) -> ForwardServerConfig {
    ForwardServerConfig {
        address,
        name: name.to_owned(),
        weight: 60,
        standby: false,
        server_name: None,
        shared_key: None,
        user: None,
    }
}

fn named(name: &str) -> ForwardServerConfig {
    server(name, HostPort::new(name, 24224))
}

fn at(name: &str, address: SocketAddr) -> ForwardServerConfig {
    server(name, HostPort::new(address.ip().to_string(), address.port()))
}

fn config(heartbeat: HeartbeatKind, servers: Vec<ForwardServerConfig>) -> ForwardPoolConfig {
    ForwardPoolConfig {
        servers,
        srv: None,
        heartbeat,
        heartbeat_interval: Duration::from_secs(1),
        phi_threshold: 16.0,
        hard_timeout: Duration::from_secs(60),
        recover_wait: Duration::from_secs(10),
        expire_dns_cache: Duration::from_secs(60),
        dns_round_robin: false,
    }
}

fn with_srv() -> ForwardPoolConfig {
    let srv = SrvConfig {
        service: "fluentd".to_owned(),
        proto: "tcp".to_owned(),
        host: "logs.example".to_owned(),
        refresh: Duration::from_secs(30),
        server_name: None,
        shared_key: None,
        user: None,
    };
    ForwardPoolConfig { srv: Some(srv), ..config(HeartbeatKind::None, Vec::new()) }
}

fn record(host: &str) -> ServiceRecord {
    ServiceRecord { priority: 10, weight: 1, host: host.to_owned(), port: 24224 }
}

/// A pool whose loops run until this is dropped.
struct Running {
    pool: Pool,
    lookup: Arc<FakeLookup>,
    metrics: Arc<Metrics>,
    _stop: DropGuard,
}

impl Running {
    fn start(config: &ForwardPoolConfig) -> Self {
        Self::with_lookup(config, Arc::default())
    }

    fn with_lookup(config: &ForwardPoolConfig, lookup: Arc<FakeLookup>) -> Self {
        let metrics = Metrics::new("logserver-1", 10);
        let pool = Pool::new("upstream", config, lookup.clone(), metrics.output_servers("upstream"));
        let stop = CancellationToken::new();
        let running = pool.clone();
        let stopped = stop.clone();
        tokio::spawn(async move { running.run(stopped).await });
        Self { pool, lookup, metrics, _stop: stop.drop_guard() }
    }

    fn up(&self, name: &str) -> Option<i64> {
        let sample = format!("hikyaku_output_server_up{{output=\"upstream\",server=\"{name}\"}} ");
        let text = self.metrics.render().unwrap();
        text.lines().find_map(|line| line.strip_prefix(&sample).map(|value| value.parse().unwrap()))
    }

    async fn picks(&self, count: usize) -> Vec<String> {
        let mut picks = Vec::new();
        for _ in 0..count {
            picks.push(self.pool.pick().await.name.clone());
        }
        picks
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_failed_gets_nothing_until_recover_wait_and_then_one_chunk_on_trial() {
    let running = Running::start(&config(HeartbeatKind::None, vec![named("a"), named("b")]));
    let pool = &running.pool;
    assert_eq!(running.picks(2).await, ["a", "b"]);
    let a = pool.pick().await.id;
    pool.failed(a, "connection refused");
    assert_eq!((running.up("a"), running.up("b")), (Some(0), Some(1)));
    assert_eq!(running.picks(3).await, ["b", "b", "b"]);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(running.picks(4).await.iter().filter(|name| *name == "a").count(), 1);
    assert_eq!(running.up("a"), Some(0));
    pool.succeeded(a);
    assert_eq!(running.up("a"), Some(1));
    assert_eq!(running.picks(2).await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_server_is_woken_when_there_is_one() {
    let running = Running::start(&config(HeartbeatKind::None, vec![named("a")]));
    let pool = &running.pool;
    let id = pool.pick().await.id;
    let started = Instant::now();
    pool.failed(id, "connection refused");
    // The first of the two gets the trial, the second waits for what comes of it.
    let (first, second) = (pool.pick(), pool.pick());
    tokio::pin!(first, second);
    tokio::select! {
        biased;
        target = &mut first => assert_eq!(target.id, id),
        _ = &mut second => panic!("it has its turn after the first"),
    }
    assert_eq!(started.elapsed().as_secs(), 10);
    pool.succeeded(id);
    assert_eq!(second.await.id, id);
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_chunk_in_doubt_finds_its_server_whether_it_is_up_or_down() {
    let running = Running::start(&config(HeartbeatKind::None, vec![named("a"), named("b")]));
    let a = running.pool.pick().await;
    running.pool.failed(a.id, "no acknowledgement");
    assert_eq!(running.pool.target(a.id).unwrap().name, "a");
    assert_eq!(running.pool.targets().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn servers_of_the_dns_come_and_go() {
    let lookup = Arc::new(FakeLookup::default());
    lookup.set_services(QUERY, Some(vec![record("a.example"), record("b.example")]));
    let running = Running::with_lookup(&with_srv(), lookup);
    assert_eq!(running.picks(2).await, ["a.example:24224", "b.example:24224"]);
    let b = running.pool.targets().await[1].id;
    running.lookup.set_services(QUERY, Some(vec![record("a.example"), record("c.example")]));
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert!(running.pool.target(b).is_none());
    assert_eq!((running.up("b.example:24224"), running.up("c.example:24224")), (None, Some(1)));
    assert_eq!(running.picks(2).await, ["a.example:24224", "c.example:24224"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_srv_lookup_changes_nothing_and_is_repeated_sooner() {
    let lookup = Arc::new(FakeLookup::default());
    let running = Running::with_lookup(&with_srv(), lookup);
    assert!(running.pool.targets().await.is_empty());
    running.lookup.set_services(QUERY, Some(vec![record("a.example")]));
    let started = Instant::now();
    assert_eq!(running.picks(1).await, ["a.example:24224"]);
    assert!(started.elapsed() <= Duration::from_secs(5), "{:?}", started.elapsed());
    for answer in [None, Some(Vec::new()), Some(vec![record("")])] {
        running.lookup.set_services(QUERY, answer);
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(running.picks(1).await, ["a.example:24224"]);
    }
    let failures = "hikyaku_output_srv_lookup_failures_total{output=\"upstream\"}";
    assert!(running.metrics.render().unwrap().contains(failures));
}

#[tokio::test(start_paused = true)]
async fn at_start_servers_are_looked_for_before_the_loops_run() {
    let lookup = Arc::new(FakeLookup::default());
    lookup.set_services(QUERY, Some(vec![record("a.example")]));
    let metrics = Metrics::new("logserver-1", 10);
    let pool = Pool::new("upstream", &with_srv(), lookup, metrics.output_servers("upstream"));
    assert_eq!(pool.targets().await.len(), 1);
}

/// Heartbeats in a hurry, since sockets don't follow a paused clock.
fn fast(servers: Vec<ForwardServerConfig>) -> ForwardPoolConfig {
    ForwardPoolConfig {
        heartbeat_interval: Duration::from_millis(10),
        recover_wait: Duration::from_millis(50),
        hard_timeout: Duration::from_millis(400),
        ..config(HeartbeatKind::Transport, servers)
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

#[tokio::test]
async fn good_heartbeats_bring_a_server_back() {
    let (first, second) = (listener().await, listener().await);
    let servers = vec![at("a", first.local_addr().unwrap()), at("b", second.local_addr().unwrap())];
    let running = Running::start(&fast(servers));
    let a = running.pool.pick().await;
    running.pool.failed(a.id, "connection reset");
    let started = Instant::now();
    while running.pool.pick().await.id != a.id {
        tokio::task::yield_now().await;
    }
    assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
    assert_eq!(running.up("a"), Some(1));
}

#[tokio::test]
async fn a_server_that_nobody_can_connect_to_goes_down_without_a_delivery() {
    let live = listener().await;
    let servers = vec![at("live", live.local_addr().unwrap()), at("dead", reserved_address())];
    let running = Running::start(&fast(servers));
    while running.up("dead") != Some(0) {
        // Accepting keeps the backlog of the living one short.
        live.accept().await.unwrap();
    }
    assert_eq!(running.picks(2).await, ["live", "live"]);
}

#[tokio::test]
async fn the_only_server_is_tried_again_at_its_first_good_heartbeat() {
    let listener = listener().await;
    let config = fast(vec![at("a", listener.local_addr().unwrap())]);
    let running = Running::start(&ForwardPoolConfig { recover_wait: Duration::from_secs(3600), ..config });
    let id = running.pool.pick().await.id;
    running.pool.failed(id, "connection reset");
    let target = running.pool.pick().await;
    assert_eq!((target.id, running.up("a")), (id, Some(0)));
    target.connect(Duration::from_secs(5)).await.unwrap();
    running.pool.succeeded(id);
    assert_eq!(running.up("a"), Some(1));
}

#[tokio::test]
async fn the_loops_end_when_they_are_told_to() {
    let metrics = Metrics::new("logserver-1", 10);
    let config = config(HeartbeatKind::Transport, vec![named("a")]);
    let lookup = Arc::new(FakeLookup::default());
    let pool = Pool::new("upstream", &config, lookup, metrics.output_servers("upstream"));
    let stop = CancellationToken::new();
    stop.cancel();
    pool.run(stop).await;
}
