//! Requests to deliver segments that an output left behind, which the server takes up: `NAME.segments` among the other
//! [requests](super::requests), as JSON.
//!
//! ```text
//! {"version":1,"output":"ID","segments":[7,8],"anyway":false}
//! ```
//!
//! The answer has a line for each segment.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::requests::Requests;

const EXTENSION: &str = "segments";
const VERSION: u32 = 1;

/// What is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRequest {
    version: u32,
    /// The `id` of the output that left them behind.
    pub output: String,
    pub segments: Vec<u64>,
    /// Also what may not be all that was left behind: where a segment is damaged, or what the output takes has changed.
    pub anyway: bool,
}

/// What became of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentAnswer {
    pub output: String,
    pub segment: u64,
    /// Whether all of it is in the journal now, for its output alone.
    pub retried: bool,
    /// What was taken of it, before filters.
    pub chunks: u64,
    pub events: u64,
    /// In words.
    pub detail: String,
}

impl SegmentRequest {
    pub fn new(output: &str, segments: Vec<u64>, anyway: bool) -> Self {
        Self { version: VERSION, output: output.to_owned(), segments, anyway }
    }

    /// Asks for it; gives where the request lies.
    pub fn place(&self, requests: &Requests) -> Result<PathBuf, StoreError> {
        let error = |error: serde_json::Error| StoreError::of("write", Path::new("a request"))(error.into());
        requests.put(EXTENSION, &serde_json::to_vec(self).map_err(error)?)
    }

    /// Requests that wait, the oldest first.
    pub fn waiting(requests: &Requests) -> Result<Vec<PathBuf>, StoreError> {
        requests.files(EXTENSION)
    }

    /// Reads one; `None` where it is of another version.
    pub fn read(path: &Path) -> Result<Option<Self>, StoreError> {
        let bytes = fs::read(path).map_err(StoreError::of("read", path))?;
        let request: Option<Self> = serde_json::from_slice(&bytes).ok();
        Ok(request.filter(|request| request.version == VERSION))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_and_one_of_another_version_is_none() {
        let data_dir = tempfile::tempdir().unwrap();
        let requests = Requests::new(data_dir.path());
        let request = SegmentRequest::new("up", vec![7, 8], true);
        let path = request.place(&requests).unwrap();
        assert_eq!(SegmentRequest::waiting(&requests).unwrap(), std::slice::from_ref(&path));
        assert!(requests.waiting().unwrap().is_empty(), "it is none of letters");
        assert_eq!(SegmentRequest::read(&path).unwrap(), Some(request));
        let later = fs::read_to_string(&path).unwrap().replace("\"version\":1", "\"version\":2");
        fs::write(&path, later).unwrap();
        assert_eq!(SegmentRequest::read(&path).unwrap(), None);
    }
}
