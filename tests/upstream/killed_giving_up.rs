//! Messages that are given up by a relay that is killed again and again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::net::TcpListener;

use crate::process::{
    HIKYAKU, Server, kill_under_load, metrics_alone, planned_kills, reserved_address, sum_of,
    whole_lines_below,
};
use crate::support::upstream::Peer;

/// `HIKYAKU_KILLS=100 cargo nextest run --profile campaign killed_giving_up` is a longer campaign.
const KILLS: usize = 4;

/// Events in a message.
const CHUNK_EVENTS: u64 = 10;

/// One of so many messages is refused, whenever it comes.
const REFUSED: u8 = 8;

/// Messages under way at one time.
const CONNECTIONS: usize = 8;

/// Events a second that the relay gets through: it takes 300 ms to give a refused message up.
const RATE: &str = "2000";

/// What an upstream has, by the id under which it came: numbers of events.
type Received = Arc<Mutex<HashMap<Vec<u8>, Vec<u64>>>>;

#[test]
fn killed_giving_up_each_event_is_with_the_upstream_or_in_the_dead_letters() {
    campaign(None);
}

#[test]
fn killed_giving_up_each_event_is_with_the_upstream_or_with_the_secondary() {
    campaign(Some("rescue"));
}

fn campaign(secondary: Option<&str>) {
    let kills = planned_kills(KILLS);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap();
    let received = Received::default();
    let upstream = runtime.block_on(serve(Arc::clone(&received)));
    let folder = tempfile::tempdir().unwrap();
    let [port, metrics_port] = [reserved_address().port(), reserved_address().port()];
    let start = || relay(folder.path(), upstream, secondary, port, metrics_port);
    let mut server = start();
    let mut send = Command::new(HIKYAKU);
    send.args(["send", "app.log", "--plain", "--server", &format!("127.0.0.1:{port}"), "--rate", RATE]);
    send.args(["--chunk-events", &CHUNK_EVENTS.to_string()]);

    // In the middle of handing over: after another number of messages in each life. And new ones have come in it, so that
    // the sender does not lose its patience.
    let is_time = |kills: usize, metrics: &str| {
        let given_up = (CHUNK_EVENTS * (1 + kills as u64 * 7 % 11)) as f64;
        sum_of(metrics, "hikyaku_output_given_up_records_total") >= given_up
            && sum_of(metrics, "hikyaku_journal_chunks_total") >= 5.0
    };
    let events = kill_under_load(&mut server, send, kills, is_time, start).events;
    server.until("every event is somewhere", |_| {
        let mut somewhere: HashSet<u64> = given_up(folder.path()).into_keys().collect();
        somewhere.extend(received.lock().unwrap().values().flatten());
        somewhere.len() as u64 >= events
    });
    assert!(server.stop().success());

    let given_up = given_up(folder.path());
    let delivered: Vec<u64> = received.lock().unwrap().values().flatten().copied().collect();
    let distinct: HashSet<u64> = delivered.iter().copied().collect();
    let missing =
        (0..events).filter(|number| !distinct.contains(number) && !given_up.contains_key(number)).count();
    let twice_given_up = given_up.values().filter(|count| **count > 1).count();
    let twice_delivered = delivered.len() - distinct.len();
    let both = given_up.keys().filter(|number| distinct.contains(number)).count();
    let unmarked = certain(folder.path()).into_iter().filter(|number| distinct.contains(number)).count();
    assert_eq!(unmarked, 0, "letters of events that the upstream has say so");
    eprintln!(
        "{events} events, {kills} kills, {} given up, {missing} missing, {twice_given_up} given up twice, \
         {twice_delivered} delivered twice, {both} both",
        given_up.len()
    );
    assert!(!given_up.is_empty() && !distinct.is_empty());
    assert_eq!((missing, twice_given_up, twice_delivered), (0, 0, 0));
    // What the upstream got and a killed process could not note, the next one can only give up if it does not get it
    // through again in time.
    assert!(both as u64 <= (kills * CONNECTIONS) as u64 * CHUNK_EVENTS, "{both} both delivered and given up");
}

/// Accepts on a port of its own, for as long as the runtime lives.
async fn serve(received: Received) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(Peer::new(stream), Arc::clone(&received)));
        }
    });
    address
}

/// Takes what comes, and closes on what it refuses.
async fn converse(mut peer: Peer, received: Received) {
    while let Some(message) = peer.next().await {
        let id = message.id().to_vec();
        // The ids are hashes.
        if id[0].is_multiple_of(REFUSED) {
            return;
        }
        received.lock().unwrap().insert(id, numbers(&message.entries()));
        if peer.try_acknowledge(&message).await.is_err() {
            return;
        }
    }
}

/// The numbers that `hikyaku send --count` gives its events.
fn numbers(entries: &[u8]) -> Vec<u64> {
    let key = b"\xa6number";
    let places = entries.windows(key.len()).enumerate().filter(|(_, bytes)| bytes == key);
    places.map(|(at, _)| unsigned(&entries[at + key.len()..])).collect()
}

/// An unsigned integer in msgpack.
fn unsigned(bytes: &[u8]) -> u64 {
    let length = match bytes[0] {
        number @ 0..=0x7f => return u64::from(number),
        head @ 0xcc..=0xcf => 1 << (head - 0xcc),
        head => panic!("{head:#x} begins no unsigned integer"),
    };
    bytes[1..=length].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How often each event is in the dead letters or with the secondary output.
fn given_up(folder: &Path) -> BTreeMap<u64, u32> {
    // A server may just be writing to them.
    let lines_in = |name: &str| whole_lines_below(&folder.join(name)).unwrap_or_default();
    let mut seen = BTreeMap::new();
    let letters = lines_in("data/dead-letters");
    let in_letters = letters
        .iter()
        .flat_map(|letter| numbers(&BASE64_STANDARD.decode(letter["entries"].as_str().unwrap()).unwrap()));
    let lines = lines_in("rescue");
    for number in in_letters.chain(lines.iter().map(|line| line["number"].as_u64().unwrap())) {
        *seen.entry(number).or_default() += 1;
    }
    seen
}

/// The events of the letters that are not in doubt.
fn certain(folder: &Path) -> Vec<u64> {
    let letters = whole_lines_below(&folder.join("data/dead-letters")).unwrap_or_default();
    let certain = letters.iter().filter(|letter| letter["in_doubt"] == false);
    certain
        .flat_map(|letter| numbers(&BASE64_STANDARD.decode(letter["entries"].as_str().unwrap()).unwrap()))
        .collect()
}

/// Starts the relay on these ports.
fn relay(
    folder: &Path,
    upstream: SocketAddr,
    secondary: Option<&str>,
    port: u16,
    metrics_port: u16,
) -> Server {
    let (root, endpoints) = (folder.display(), metrics_alone(metrics_port));
    let rescue = secondary.map_or_else(String::new, |id| {
        format!(
            "[[output]]\nid = \"{id}\"\ntype = \"file\"\npath = \"{root}/rescue/%Y.log\"\n\
             flush_interval = \"20ms\"\ncheckpoint_interval = \"100ms\""
        )
    });
    let secondary = secondary.map_or_else(String::new, |id| format!("secondary = \"{id}\""));
    let config = format!(
        r#"
[server]
name = "relay"
data_dir = "{root}/data"
[log]
format = "json"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:{port}"
max_message_size = "2MiB"
[[output]]
id = "up"
type = "forward"
match = "**"
start = "oldest"
servers = [{{ address = "{upstream}" }}]
heartbeat = "none"
connections = {CONNECTIONS}
max_in_doubt = 64
recover_wait = "10ms"
retry_min_interval = "10ms"
retry_max_interval = "20ms"
retry_timeout = "300ms"
checkpoint_interval = "20ms"
{secondary}
{rescue}
{endpoints}
"#
    );
    Server::run(&folder.join("relay.toml"), &config, 2)
}
