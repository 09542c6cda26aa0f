//! Runs the deterministic simulation over as many seeds as wanted.
//!
//! ```text
//! cargo run --release --example simulate -- --seeds 100000     that many seeds, on all cores
//! cargo run --release --example simulate -- --seed 4711        one of them, with all that happens in it
//! ```

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use hikyaku::planted::Bug;
use hikyaku::simulation::{Failure, Options, Report, run};

/// Lines that are shown of what came before a failure; `--all` shows more.
const SHOWN_LINES: usize = 60;

/// Seeds that fail before it is enough.
const MAX_FAILURES: usize = 10;

/// A whole server on a simulated disk: what is acknowledged is delivered once, whatever fails
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds to run
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run this one alone, and show what happened
    #[arg(long)]
    seed: Option<u64>,
    /// Make a mistake on purpose, to see it found: MissingSync, AckBeforeSync, ...
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// With --seed: show everything that happened, not only the end
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let failures = match arguments.seed {
        Some(seed) => run_one(seed, arguments.all, arguments.bug),
        None => run_many(arguments.from, arguments.seeds, arguments.bug),
    };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[allow(clippy::print_stdout, reason = "this is what it is for")]
fn run_one(seed: u64, all: bool, bug: Option<Bug>) -> usize {
    match run(seed, &Options { lines: true, bug }) {
        Ok(report) => {
            println!("seed {seed}: everything is as promised\n{report:#?}");
            0
        }
        Err(failure) => {
            let skipped = if all { 0 } else { failure.lines.len().saturating_sub(SHOWN_LINES) };
            for line in &failure.lines[skipped..] {
                println!("{line}");
            }
            println!("\n{failure}");
            1
        }
    }
}

#[allow(clippy::print_stdout, reason = "this is what it is for")]
fn run_many(from: u64, seeds: u64, bug: Option<Bug>) -> usize {
    let started = Instant::now();
    let next = AtomicU64::new(from);
    let total = Mutex::new((Report::default(), Vec::<Failure>::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            let result = run(seed, &Options { lines: false, bug });
            let Ok(mut total) = total.lock() else { return };
            match result {
                Ok(report) => total.0.add(&report),
                Err(failure) => {
                    println!("{failure}\n  again: cargo run --release --example simulate -- --seed {seed}");
                    total.1.push(failure);
                }
            }
            if total.1.len() >= MAX_FAILURES {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let (report, failures) = total.into_inner().unwrap_or_default();
    let seconds = started.elapsed().as_secs_f64();
    let done = (next.into_inner().min(from + seeds) - from) as f64;
    println!(
        "{report:#?}\n{done} seeds in {seconds:.1} s, {:.0} a second, {} failed",
        done / seconds,
        failures.len()
    );
    failures.len()
}

fn bug(name: &str) -> Result<Bug, String> {
    let known = || Bug::ALL.map(|bug| format!("{bug:?}")).join(", ");
    Bug::ALL
        .into_iter()
        .find(|bug| format!("{bug:?}") == name)
        .ok_or_else(|| format!("there are: {}", known()))
}
