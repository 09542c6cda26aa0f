//! Whether the simulation finds what it is there to find.

use hikyaku::planted::Bug;
use hikyaku::simulation::{Options, run};

#[test]
fn every_planted_bug_is_found_within_a_hundred_seeds() {
    for bug in Bug::ALL {
        let found = (0..100).find_map(|seed| {
            let options = Options { bug: Some(bug), ..Options::default() };
            run(seed, &options).err().map(|failure| (seed, failure.what))
        });
        let (seed, what) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {what}");
    }
}
