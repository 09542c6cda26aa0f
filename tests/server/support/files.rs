//! What outputs wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

/// All lines of all files below a folder, each of which must be whole and valid JSON.
pub(crate) fn lines_below(folder: &Path) -> Vec<serde_json::Value> {
    whole_lines_below(folder).unwrap()
}

/// As [`lines_below`]; what is not whole or no JSON, as a file may be that is being written, is an error that names it.
pub(crate) fn whole_lines_below(folder: &Path) -> Result<Vec<serde_json::Value>, String> {
    let mut lines = Vec::new();
    for path in files_below(folder) {
        let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = read(&path).map_err(|error| about(&error))?;
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            return Err(about(&"half a line at the end"));
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            lines.push(serde_json::from_slice(line).map_err(|error| about(&error))?);
        }
    }
    Ok(lines)
}

/// A file, decompressed by the system's own gzip.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "gz") {
        return std::fs::read(path);
    }
    let output = Command::new("zcat").arg(path).output()?;
    if !output.status.success() {
        return Err(std::io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    Ok(output.stdout)
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
