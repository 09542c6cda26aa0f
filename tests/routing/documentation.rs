//! docs/routing.md: every example is a configuration that does what its tests say.

use super::support::{hikyaku, printed};

const PAGE: &str = include_str!("../../docs/routing.md");

#[test]
fn every_example_runs() {
    let examples: Vec<_> =
        PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 3);
    let folder = tempfile::tempdir().unwrap();
    for example in examples {
        let path = folder.path().join("example.toml");
        std::fs::write(&path, example).unwrap();
        let output = hikyaku(&["test", "-c", path.to_str().unwrap()]);
        assert!(output.status.success(), "{example}\n{}", printed(&output));
    }
}
