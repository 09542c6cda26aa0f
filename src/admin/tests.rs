use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use hyper::{Method, StatusCode};

use super::test_client::{ask, get};
use super::*;

/// All three listeners on free ports, on a thread of their own.
struct Running {
    health: SocketAddr,
    monitor_agent: SocketAddr,
    metrics: SocketAddr,
    shutdown: CancellationToken,
    thread: JoinHandle<Result<(), AdminError>>,
}

impl Running {
    fn start(
        readiness: Readiness,
        metrics: Arc<Metrics>,
        refresh: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let bind = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            (listener.local_addr().unwrap(), Some(listener))
        };
        let ((health, health_listener), (monitor_agent, monitor_agent_listener)) = (bind(), bind());
        let (metrics_address, metrics_listener) = bind();
        let listeners = Listeners {
            health: health_listener,
            monitor_agent: monitor_agent_listener,
            metrics: metrics_listener,
        };
        let state = AdminState {
            readiness,
            metrics,
            refresh: Box::new(refresh),
            plugins: Box::new(Vec::new),
            process: ProcessInfo::new(
                Some(Path::new("/etc/hikyaku/hikyaku.toml")),
                Path::new("/var/lib/hikyaku"),
            ),
        };
        let shutdown = CancellationToken::new();
        let thread = spawn(listeners, state, shutdown.clone()).unwrap();
        Self { health, monitor_agent, metrics: metrics_address, shutdown, thread }
    }

    fn stop(self) {
        self.shutdown.cancel();
        self.thread.join().unwrap().unwrap();
    }
}

fn start() -> Running {
    Running::start(Readiness::starting(), Metrics::new("logserver-1", 10), || {})
}

#[tokio::test]
async fn health_is_ok_while_the_process_lives_and_ready_says_why_not() {
    let readiness = Readiness::starting();
    let running = Running::start(readiness.clone(), Metrics::new("logserver-1", 10), || {});
    let ready = async || get(running.health, "/ready").await;

    let starting = ready().await;
    assert_eq!(starting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(starting.body, r#"{"ready":false,"reasons":["the server is starting"]}"#);

    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_full = full.clone();
    readiness.started(move || {
        if is_full.load(Ordering::Relaxed) {
            vec!["journal is full: senders wait".to_owned()]
        } else {
            vec![]
        }
    });
    let started = ready().await;
    assert_eq!((started.status, started.body.as_str()), (StatusCode::OK, r#"{"ready":true}"#));

    full.store(true, Ordering::Relaxed);
    let waiting = ready().await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.body, r#"{"ready":false,"reasons":["journal is full: senders wait"]}"#);

    readiness.stopping();
    assert_eq!(ready().await.json()["reasons"][0], "the server is stopping");

    let health = get(running.health, "/health").await;
    assert_eq!((health.status, health.body.as_str()), (StatusCode::OK, r#"{"status":"ok"}"#));
    assert_eq!(health.content_type, "application/json");
    running.stop();
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let running = start();
    let head = ask(running.health, Method::HEAD, "/health").await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.content_type, "application/json");
    let not_ready = ask(running.health, Method::HEAD, "/ready").await;
    assert_eq!((not_ready.status, not_ready.body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
    running.stop();
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let running = start();
    for address in [running.health, running.monitor_agent, running.metrics] {
        let unknown = get(address, "/nowhere").await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(unknown.body, r#"{"message":"Not found"}"#);
        for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
            let refused = ask(address, method, "/health").await;
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(refused.allow, "GET, HEAD");
        }
    }
    running.stop();
}

#[tokio::test]
async fn computed_gauges_are_refreshed_before_each_scrape() {
    let metrics = Metrics::new("logserver-1", 10);
    let days = metrics.certificate_days_left("server.crt");
    let left = AtomicI64::new(90);
    let running = Running::start(Readiness::starting(), metrics, move || {
        days.set(left.fetch_sub(1, Ordering::Relaxed));
    });
    for (path, sample) in [
        ("/metrics", "hikyaku_certificate_days_left{file=\"server.crt\"} 90"),
        ("/aggregated_metrics", "hikyaku_certificate_days_left{file=\"server.crt\"} 89"),
    ] {
        let reply = get(running.metrics, path).await;
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.content_type, "text/plain; version=0.0.4");
        assert!(reply.body.lines().any(|line| line == sample), "{}", reply.body);
    }
    running.stop();
}

/// The pipeline of the operators' health check, which runs under `set -euo pipefail`.
#[tokio::test]
async fn the_health_check_script_can_add_up_the_metrics() {
    let metrics = Metrics::new("log server #1", 10);
    let running = Running::start(Readiness::starting(), metrics.clone(), || {});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics");
    let sum = async |name: &str| {
        std::fs::write(&file, get(running.metrics, "/metrics").await.body).unwrap();
        let script =
            r#"set -euo pipefail; cat "$1" | grep "$2" | grep -v '#' | awk '{sum+=$2} END {print sum}'"#;
        let output = Command::new("bash").args(["-c", script, "bash"]).arg(&file).arg(name).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };

    for name in [
        "fluentd_input_status_num_records_total",
        "fluentd_output_status_num_records_total",
        "fluentd_output_status_buffer_total_bytes",
        "fluentd_output_status_retry_count",
    ] {
        assert_eq!(sum(name).await, "0", "{name}");
    }

    let input = metrics.input("edge");
    input.records(b"nginx.access", 1_234_567);
    input.records(b"a tag # with spaces", 1);
    let output = metrics.output("archive", "file");
    output.delivered(b"nginx.access", 1_000_000);
    output.buffer_total_bytes.set(1_500_000);
    output.retry_count.inc_by(3);
    assert_eq!(sum("fluentd_input_status_num_records_total").await, "1234568");
    assert_eq!(sum("fluentd_output_status_num_records_total").await, "1000000");
    assert_eq!(sum("fluentd_output_status_buffer_total_bytes").await, "1500000");
    assert_eq!(sum("fluentd_output_status_retry_count").await, "3");
    running.stop();
}

#[test]
fn it_answers_while_every_thread_of_the_data_path_is_busy() {
    let running = start();
    let data_path = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let (entered, has_entered) = std::sync::mpsc::channel();
    let busy = data_path.spawn(async move {
        entered.send(()).unwrap();
        blocked.recv().unwrap();
    });
    has_entered.recv().unwrap();

    let operator = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let health = operator.block_on(get(running.health, "/health"));
    assert_eq!(health.status, StatusCode::OK);

    release.send(()).unwrap();
    data_path.block_on(busy).unwrap();
    running.stop();
}

#[tokio::test]
async fn a_stop_closes_every_listener() {
    let running = start();
    let addresses = [running.health, running.monitor_agent, running.metrics];
    running.stop();
    for address in addresses {
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn with_every_section_switched_off_there_is_nothing_to_serve() {
    let state = AdminState {
        readiness: Readiness::starting(),
        metrics: Metrics::new("logserver-1", 10),
        refresh: Box::new(|| {}),
        plugins: Box::new(Vec::new),
        process: ProcessInfo::new(None, Path::new("data")),
    };
    serve(Listeners::default(), state, CancellationToken::new()).await.unwrap();
}
