//! A thousand seeds, in eight parts that can run at the same time.

use hikyaku::simulation::{Options, Report, run};

const SEEDS_OF_A_PART: u64 = 125;

/// Happens in one of a hundred seeds, so that there are parts without.
const RARE: &str = "uncertain skips";

fn run_part(part: u64) {
    let mut total = Report::default();
    for seed in part * SEEDS_OF_A_PART..(part + 1) * SEEDS_OF_A_PART {
        match run(seed, &Options::default()) {
            Ok(report) => total.add(&report),
            Err(failure) => {
                panic!("{failure}\nagain: cargo run --release --example simulate -- --seed {seed}")
            }
        }
    }
    // A simulation in which nothing happens proves nothing.
    for (what, count) in total.counts() {
        assert!(count > 0 || what == RARE, "in {SEEDS_OF_A_PART} seeds there was not one of: {what}");
    }
}

macro_rules! parts {
    ($($name:ident: $part:expr),* $(,)?) => {
        $(#[test]
        fn $name() {
            run_part($part);
        })*
    };
}

parts! {
    seeds_0_to_124_keep_every_promise: 0,
    seeds_125_to_249_keep_every_promise: 1,
    seeds_250_to_374_keep_every_promise: 2,
    seeds_375_to_499_keep_every_promise: 3,
    seeds_500_to_624_keep_every_promise: 4,
    seeds_625_to_749_keep_every_promise: 5,
    seeds_750_to_874_keep_every_promise: 6,
    seeds_875_to_999_keep_every_promise: 7,
}
