//! The program, and golden files of what it prints.

use std::path::Path;
use std::process::{Command, Output};

/// Runs hikyaku with these arguments, where the package is, and with nothing of this environment.
pub(crate) fn hikyaku(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hikyaku"))
        .args(arguments)
        .env_clear()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// What it printed, errors behind the rest.
pub(crate) fn printed(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].concat().try_into().unwrap()
}

/// Compares with a golden file; `HIKYAKU_UPDATE_GOLDEN=1` writes it anew, for a person to read the difference.
pub(crate) fn assert_golden(path: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path);
    if std::env::var_os("HIKYAKU_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{}: expected\n{expected}\nfound\n{found}", path.display());
}
