//! The same seed is the same world.

use hikyaku::simulation::{Options, run};

#[test]
fn the_same_seed_gives_the_same_calls_and_the_same_bytes_twice() {
    for seed in 0..20 {
        let report = |lines| run(seed, &Options { lines, bug: None }).map_err(|failure| failure.what);
        // Also when somebody watches.
        assert_eq!(report(false), report(true), "seed {seed}");
    }
}

#[test]
fn another_seed_is_another_world() {
    let fingerprint = |seed| run(seed, &Options::default()).unwrap().fingerprint;
    assert_ne!(fingerprint(1), fingerprint(2));
}
