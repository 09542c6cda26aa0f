//! What an output left behind at `max_backlog`, looked at, dropped, and delivered after all.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::process::HIKYAKU;
use crate::support::relay::{Relay, config};
use crate::support::soon;
use crate::support::upstream::{Peer, Upstream};

/// A segment of 1 MiB holds ten of them.
const LENGTH: usize = 100_000;
const CHUNKS: u32 = 60;

/// `[1, {"n": number, "x": "xxx…"}]`
fn entry(number: u32) -> Vec<u8> {
    let mut entry = b"\x92\x01\x82\xa1n\xce".to_vec();
    entry.extend_from_slice(&number.to_be_bytes());
    entry.extend_from_slice(b"\xa1x\xdb");
    entry.extend_from_slice(&(LENGTH as u32).to_be_bytes());
    entry.resize(entry.len() + LENGTH, b'x');
    entry
}

/// The numbers of the events in a message, each of which must have been filtered.
fn numbers(entries: &[u8]) -> Vec<u32> {
    let places = entries.windows(3).enumerate().filter(|(_, window)| *window == b"\xa1n\xce");
    let numbers: Vec<_> =
        places.map(|(at, _)| u32::from_be_bytes(entries[at + 3..at + 7].try_into().unwrap())).collect();
    let filtered = entries.windows(4).filter(|window| *window == b"\xa1f\xa1y").count();
    assert_eq!(filtered, numbers.len());
    numbers
}

/// How often each event came, and under which ids.
type Came = Arc<Mutex<BTreeMap<u32, Vec<bytes::Bytes>>>>;

/// Takes everything, and acknowledges it.
async fn take_all(upstream: Upstream, came: Came) {
    loop {
        let mut peer: Peer = loop {
            let accepted = tokio::time::timeout(crate::support::PATIENCE, upstream.accept()).await;
            if let Ok(peer) = accepted {
                break peer;
            }
        };
        let came = Arc::clone(&came);
        tokio::spawn(async move {
            while let Some(received) = peer.next().await {
                for number in numbers(&received.entries()) {
                    came.lock().unwrap().entry(number).or_default().push(received.id().clone());
                }
                peer.acknowledge(&received).await;
            }
        });
    }
}

fn text(folder: &Path, server: &str) -> String {
    let keys = "connections = 1\nmax_backlog = \"2MiB\"";
    let filter = "[[filter]]\nmatch = \"**\"\ntype = \"set\"\nfields = { f = \"y\" }\n";
    config(folder, &[server.to_owned()], keys, filter)
        .replace("segment_size = \"32MiB\"", "segment_size = \"1MiB\"")
        .replace("max_message_size = \"16MiB\"", "max_message_size = \"256KiB\"")
}

async fn dead_letter(data_dir: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(HIKYAKU);
    command.arg("dead-letter").args(arguments).arg("--data-dir").arg(data_dir);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_output_left_behind_is_shown_dropped_and_delivered_once() {
    let upstream = Upstream::start().await;
    let address = upstream.address;
    let folder = tempfile::tempdir().unwrap();
    let text = text(folder.path(), &upstream.server());
    let relay = Relay::run(folder, &text).await;
    // The first one may have arrived when the upstream goes.
    relay.take("t", &entry(0), 1).await;
    let mut peer = upstream.accept().await;
    let in_doubt = peer.expect("t").await.id().clone();
    drop((peer, upstream));
    for number in 1..CHUNKS {
        relay.take("t", &entry(number), 1).await;
    }
    relay.until("hikyaku_output_skipped_records_total{output=\"up\",what=\"set_aside\"}", 40.0).await;
    let data_dir = relay.data_dir();

    let (_, ls, _) = dead_letter(&data_dir, &["ls", "--json"]).await;
    let ls: serde_json::Value = serde_json::from_str(&ls).unwrap();
    let [left] = &ls["left_behind"].as_array().unwrap()[..] else { panic!("{ls}") };
    assert_eq!((&left["output"], &left["events"], &left["chunks"]), (&"up".into(), &40.into(), &40.into()));
    assert_eq!(left["segments"].as_array().unwrap().len(), 4, "{left}");
    let (_, table, _) = dead_letter(&data_dir, &["ls"]).await;
    assert!(table.contains("LEFT BEHIND BY") && table.lines().count() == 2, "{table}");
    let (_, cat, _) = dead_letter(&data_dir, &["cat", "--output", "up", "--tag", "t", "--limit", "11"]).await;
    let lines: Vec<serde_json::Value> = cat.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown: Vec<_> = lines.iter().map(|line| line["record"]["n"].as_u64().unwrap()).collect();
    assert_eq!((shown, &lines[0]["output"]), ((0..11).collect(), &"up".into()));

    let (code, _, complaint) = dead_letter(&data_dir, &["drop", "--output", "up"]).await;
    assert!(
        code == Some(1) && complaint.contains("4 segments") && complaint.contains("--yes"),
        "{complaint}"
    );
    let (_, said, complaint) = dead_letter(&data_dir, &["drop", "--tag", "t", "--yes"]).await;
    assert!(said.contains("no dead letters") && complaint.contains("go as a whole"), "{said}{complaint}");
    let (code, said, _) = dead_letter(&data_dir, &["drop", "--segment", "2", "--yes"]).await;
    assert!(code == Some(0) && said.contains("1 segment"), "{said}");

    let came = Came::default();
    let upstream = Upstream::at(address).await;
    let taking = tokio::spawn(take_all(upstream, Arc::clone(&came)));
    let (code, said, complaint) = dead_letter(&data_dir, &["retry", "--output", "up"]).await;
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert_eq!(said, "retried 3 of 3 segments of output up: 30 chunks, 30 events before filters\n");
    let expected: Vec<u32> = (0..10).chain(20..CHUNKS).collect();
    let all = async {
        while came.lock().unwrap().len() < expected.len() {
            tokio::task::yield_now().await;
        }
    };
    soon("all events at the upstream", all).await;
    let (_, said, _) = dead_letter(&data_dir, &["ls"]).await;
    assert_eq!(said, "no dead letters\n");
    relay.stop().await;
    let came = came.lock().unwrap();
    assert_eq!(came.keys().copied().collect::<Vec<_>>(), expected);
    assert!(came.values().all(|ids| ids.len() == 1), "each once");
    assert_eq!(came[&0], [in_doubt], "by its id the upstream can tell");
    taking.abort();
}
