//! Requests to retry letters, which the server takes up: files in `DATA_DIR/dead-letters/requests/`.
//!
//! ```text
//! NAME.request   hikyaku retry 1, and behind it the letters, one a line
//! NAME.answer    what became of each, one JSON object a line
//! ```
//!
//! Both are whole or not there. A request stays until its answer is there, so that a crash in between has it taken up
//! again, and one that is made while no server runs waits for the next one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LetterId, StoreError, folder};

const HEADER: &str = "hikyaku retry 1";

/// The folder of requests below a data folder.
#[derive(Debug, Clone)]
pub struct Requests {
    folder: PathBuf,
}

/// What became of a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub letter: String,
    /// Whether it is in the journal now.
    pub retried: bool,
    /// In words.
    pub detail: String,
}

impl Requests {
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: folder(data_dir).join("requests") }
    }

    /// Asks for letters to be retried; gives where the request lies.
    pub fn place(&self, letters: &[LetterId]) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.folder).map_err(StoreError::of("make", &self.folder))?;
        let mut text = format!("{HEADER}\n");
        letters.iter().for_each(|letter| text.push_str(&format!("{letter}\n")));
        let name = format!("{}-{}.request", jiff::Timestamp::now().as_nanosecond(), std::process::id());
        let path = self.folder.join(name);
        replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Requests that wait, the oldest first.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, StoreError> {
        let error = || StoreError::of("list", &self.folder);
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(error())?,
        };
        let mut paths = Vec::new();
        for entry in listed {
            let path = entry.map_err(error())?.path();
            if path.extension().is_some_and(|extension| extension == "request") {
                paths.push(path);
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }
}

/// The letters of a request; none where it is of another version.
pub fn letters_of(request: &Path) -> Result<Vec<LetterId>, StoreError> {
    let text = fs::read_to_string(request).map_err(StoreError::of("read", request))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Ok(Vec::new());
    }
    Ok(lines.filter_map(|line| line.parse().ok()).collect())
}

/// Answers a request, which goes.
pub fn answer(request: &Path, answers: &[Answer]) -> Result<(), StoreError> {
    let mut text = Vec::new();
    for answer in answers {
        serde_json::to_writer(&mut text, answer)
            .map_err(|error| StoreError::of("write", request)(error.into()))?;
        text.push(b'\n');
    }
    replace(&request.with_extension("answer"), &text)?;
    fs::remove_file(request).map_err(StoreError::of("remove", request))
}

/// Takes the answer to a request; `None` while there is none.
pub fn take_answer(request: &Path) -> Result<Option<Vec<Answer>>, StoreError> {
    let path = request.with_extension("answer");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(StoreError::of("read", &path))?,
    };
    fs::remove_file(&path).map_err(StoreError::of("remove", &path))?;
    Ok(Some(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension("tmp");
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(StoreError::of("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_stays_until_it_is_answered_and_an_answer_is_taken_once() {
        let data_dir = tempfile::tempdir().unwrap();
        let requests = Requests::new(data_dir.path());
        assert!(requests.waiting().unwrap().is_empty());
        let letters = [LetterId::of(b"a"), LetterId::of(b"b")];
        let request = requests.place(&letters).unwrap();
        assert_eq!(requests.waiting().unwrap(), std::slice::from_ref(&request));
        assert_eq!(letters_of(&request).unwrap(), letters);
        assert_eq!(take_answer(&request).unwrap(), None);
        let answers = [Answer { letter: letters[0].to_string(), retried: true, detail: "d".to_owned() }];
        answer(&request, &answers).unwrap();
        assert!(requests.waiting().unwrap().is_empty());
        assert_eq!(take_answer(&request).unwrap().as_deref(), Some(&answers[..]));
        assert_eq!(take_answer(&request).unwrap(), None);
    }
}
