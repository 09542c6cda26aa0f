//! A hikyaku in this process with one input and one forward output.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use hikyaku::chunk::Encoding;
use hikyaku::config::Config;
use hikyaku::server::{ServeError, Server, StartError};
use hikyaku::wire::client::{AckReader, write_packed_head, write_packed_options};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{ENTRY, soon};

/// No two chunks of the edge are the same.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A relay that runs.
pub(crate) struct Relay {
    folder: Option<TempDir>,
    input: SocketAddr,
    metrics: SocketAddr,
    shutdown: CancellationToken,
    ended: Option<oneshot::Receiver<Result<(), ServeError>>>,
}

/// A configuration with these servers (elements of the list), more keys of the output, and more sections.
pub(crate) fn config(folder: &Path, servers: &[String], keys: &str, sections: &str) -> String {
    let (folder, servers) = (folder.display(), servers.join(", "));
    format!(
        r#"
        [server]
        name = "relay-1"
        data_dir = "{folder}/data"
        shutdown_timeout = "200ms"
        [journal]
        max_size = "96MiB"
        segment_size = "32MiB"
        [[input]]
        id = "edge"
        type = "forward"
        listen = "127.0.0.1:0"
        max_message_size = "16MiB"
        [[output]]
        id = "up"
        type = "forward"
        match = "**"
        start = "oldest"
        servers = [{servers}]
        heartbeat = "none"
        recover_wait = "50ms"
        retry_min_interval = "10ms"
        retry_max_interval = "50ms"
        {keys}
        {sections}
        [health]
        enabled = false
        [monitor_agent]
        enabled = false
        [metrics]
        listen = "127.0.0.1:0"
        "#
    )
}

pub(crate) async fn start(folder: &Path, text: &str) -> Result<Server, StartError> {
    let config = Config::parse(text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
    std::fs::create_dir_all(folder).unwrap();
    Server::start(config).await
}

impl Relay {
    pub(crate) async fn start(servers: &[String], keys: &str) -> Self {
        Self::with_sections(servers, keys, "").await
    }

    pub(crate) async fn with_sections(servers: &[String], keys: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = config(folder.path(), servers, keys, sections);
        Self::run(folder, &text).await
    }

    /// Starts anew on the folder of one that was stopped.
    pub(crate) async fn restart(folder: TempDir, servers: &[String], keys: &str) -> Self {
        let text = config(folder.path(), servers, keys, "");
        Self::run(folder, &text).await
    }

    pub(crate) async fn run(folder: TempDir, text: &str) -> Self {
        let shutdown = CancellationToken::new();
        let (started, addresses) = oneshot::channel();
        let (ends, ended) = oneshot::channel();
        let (path, text, stop) = (folder.path().to_owned(), text.to_owned(), shutdown.clone());
        // With a runtime of its own, which goes on when a test fails and lets the relay come to its end.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let result = runtime.block_on(async {
                let server = start(&path, &text).await.unwrap();
                started.send(server.addresses().clone()).unwrap();
                server.serve(stop).await
            });
            drop(runtime);
            // A test that has failed does not wait for it.
            let _ = ends.send(result);
        });
        let addresses = soon("the start of the relay", addresses).await.unwrap();
        let (input, metrics) = (addresses.inputs[0].1.tcp().unwrap(), addresses.metrics.unwrap());
        Self { folder: Some(folder), input, metrics, shutdown, ended: Some(ended) }
    }

    /// An element of `servers`, for another relay.
    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.folder.as_ref().unwrap().path().join("data")
    }

    pub(crate) fn server(&self) -> String {
        format!("{{ address = \"{}\" }}", self.input)
    }

    /// Takes plain entries that a sender sends, and returns when they are in the journal.
    pub(crate) async fn take(&self, tag: &str, entries: &[u8], count: u64) {
        self.take_encoded(tag, entries, count, Encoding::Plain).await;
    }

    /// Takes [`ENTRY`].
    pub(crate) async fn take_one(&self, tag: &str) {
        self.take(tag, ENTRY, 1).await;
    }

    pub(crate) async fn take_encoded(&self, tag: &str, entries: &[u8], count: u64, encoding: Encoding) {
        let mut message = Vec::new();
        write_packed_head(&mut message, tag.as_bytes(), entries.len());
        message.extend_from_slice(entries);
        let id = format!("edge {}", NEXT_ID.fetch_add(1, Ordering::Relaxed));
        write_packed_options(&mut message, Some(id.as_bytes()), count, encoding);
        let mut stream = TcpStream::connect(self.input).await.unwrap();
        stream.write_all(&message).await.unwrap();
        let mut acks = AckReader::default();
        while acks.next_ack().unwrap().is_none() {
            let read = soon("the relay's own acknowledgement", stream.read_buf(acks.buffer())).await.unwrap();
            assert!(read > 0, "the relay refused the message");
        }
    }

    /// Where its data folder lies.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Waits until a metric of the output is this.
    pub(crate) async fn until(&self, metric: &str, value: f64) {
        let mut last = f64::NAN;
        let reached = async {
            while last != value {
                tokio::task::yield_now().await;
                last = self.metric(metric).await;
            }
        };
        let waited = tokio::time::timeout(super::PATIENCE, reached).await;
        assert!(waited.is_ok(), "{metric} should be {value}, is {last}");
    }

    /// The sum of a metric's samples.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(self.metrics).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text.lines()
            .filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    /// TERM; the folder is there for another one.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.shutdown.cancel();
        soon("the end of the relay", self.ended.take().unwrap()).await.unwrap().unwrap();
        self.folder.take().unwrap()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
