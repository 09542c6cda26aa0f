//! What the server does on this machine: `cargo bench --bench pipeline -- --help`.
//!
//! Starts the real server and the real client (`hikyaku send`), as processes of their own, and measures the server alone:
//! the time of its processor, its memory, and how long its senders wait. Beside each path stands the floor, measured in
//! the same run: what this machine takes at least for the same bytes. docs/performance.md tells how to read it.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where something is wrong"
)]

mod backlog;
mod connections;
mod delivery;
mod down;
mod files;
mod flat;
mod floor;
mod load;
mod peak;
mod process;
mod scene;
mod sink;
mod small;
mod upstream;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use scene::Scene;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Path {
    /// To another forward server, which acknowledges
    Forward,
    /// To one file of JSON lines
    Json,
    /// To gzip files by customer, type, host and hour
    Gzip,
    /// Many connections that send a little each
    Small,
    /// To a gzip file for each of 10,000 hosts
    Files,
    /// A backlog that is delivered: to a server that was down, and to an output that is new
    Backlog,
    /// What senders wait for while an output is down, and while it catches up
    Down,
    /// The first and the last of ten times as many events in a journal that keeps all of them, and a start on it
    Flat,
    /// Connections that send nothing
    Idle,
    /// Full TLS handshakes with client certificates
    Handshakes,
}

/// Measures the server: processor time, memory, and what its senders wait for
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure [default: everything]
    #[arg(value_enum)]
    paths: Vec<Path>,
    /// Events of one path, 1,000 in a chunk
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Connections that send them
    #[arg(long, default_value_t = 4)]
    connections: u16,
    /// Events a second, over all connections [default: as fast as they are acknowledged]
    #[arg(long)]
    rate: Option<u64>,
    /// Customers that the events are spread over, each with a file of its own
    #[arg(long, default_value_t = 60)]
    customers: u64,
    /// Connections of `idle`
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
    /// Connections of `small`
    #[arg(long, default_value_t = 1_000)]
    small: u16,
    /// Files of `files`
    #[arg(long, default_value_t = 10_000)]
    files: u64,
    /// Seconds of each part of `small` and `down` that goes at a rate
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Handshakes of `handshakes`
    #[arg(long, default_value_t = 4_000)]
    handshakes: usize,
    /// Another `hikyaku` to measure, as one that was built before a change
    #[arg(long, default_value = env!("CARGO_BIN_EXE_hikyaku"))]
    server: PathBuf,
    /// A program to run the server under, with its arguments, as "perf record -g -o perf.data"
    #[arg(long, default_value = "")]
    under: String,
    /// Keys of `[journal]`, as `compression = "zstd"`
    #[arg(long, default_value = "")]
    journal: String,
    /// Where journal and files are written; what is measured depends on its disk
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// Do not measure the floor
    #[arg(long)]
    no_floor: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let paths = match &arguments.paths[..] {
        [] => Path::value_variants(),
        paths => paths,
    };
    let mut results = serde_json::Map::new();
    if !arguments.no_floor {
        let floor = floor::measure(&arguments);
        show(&arguments, "floor", &floor);
        results.insert("floor".to_owned(), floor);
    }
    for path in paths {
        let scene = Scene::new(&arguments);
        let result = match path {
            Path::Forward | Path::Json | Path::Gzip => delivery::measure(&scene, *path),
            Path::Small => small::measure(&scene),
            Path::Files => files::measure(&scene),
            Path::Backlog => backlog::measure(&scene),
            Path::Down => down::measure(&scene),
            Path::Flat => flat::measure(&scene),
            Path::Idle => connections::idle(&scene),
            Path::Handshakes => connections::handshakes(&scene),
        };
        let name = path.to_possible_value().unwrap().get_name().to_owned();
        show(&arguments, &name, &result);
        results.insert(name, result);
    }
    if arguments.json {
        println!("{}", json!(results));
    }
}

fn show(arguments: &Arguments, name: &str, result: &Value) {
    if arguments.json {
        return;
    }
    println!("{name}");
    for (what, value) in result.as_object().unwrap() {
        let what = what.replace('_', " ");
        match value.as_f64() {
            Some(value) if value >= 100.0 => println!("  {what:<46} {value:>12.0}"),
            Some(value) => println!("  {what:<46} {value:>12.3}"),
            None => println!("  {what:<46} {value:>12}"),
        }
    }
}
