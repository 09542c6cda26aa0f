//! The file itself: missing, and as large as it may be.

use super::*;

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing.toml");
    let error = Config::load(&path).unwrap_err();
    assert!(matches!(error, ConfigErrors::Unreadable { .. }));
    assert!(error.to_string().contains("missing.toml"), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_file_may_have_the_largest_size_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.toml");
    let mut text = MINIMAL.to_owned();
    let padding = MAX_FILE_SIZE as usize - text.len() - 1;
    text.push('#');
    text.push_str(&"x".repeat(padding));
    std::fs::write(&path, &text).unwrap();
    assert_eq!(Config::load(&path).unwrap().path, Some(path.clone()));
    text.push('x');
    std::fs::write(&path, &text).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("more than 4MiB"));
}
