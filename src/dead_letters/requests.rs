//! Requests to retry letters, which the server takes up: files in `DATA_DIR/dead-letters/requests/`.
//!
//! ```text
//! NAME.request    hikyaku retry 1, and behind it the letters, one a line
//! NAME.segments   segments that were set aside (segment_requests.rs)
//! NAME.answer     what became of each, one JSON object a line
//! ```
//!
//! All are whole or not there. A request stays until its answer is there, so that a crash in between has it taken up
//! again, and one that is made while no server runs waits for the next one. Whoever asked takes the answer; one that
//! nobody takes is removed when it is [`ANSWER_MAX_AGE`] old.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{LetterId, StoreError, folder};

const HEADER: &str = "hikyaku retry 1";
const REQUEST: &str = "request";
const ANSWER: &str = "answer";
/// A file that is being written, or that a crash left so.
const UNFINISHED: &str = "tmp";

/// How long an answer waits for whoever asked. A command that runs looks for it twenty times a second.
pub const ANSWER_MAX_AGE: Duration = Duration::from_secs(3600);

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
        let mut text = format!("{HEADER}\n");
        letters.iter().for_each(|letter| text.push_str(&format!("{letter}\n")));
        self.put(REQUEST, text.as_bytes())
    }

    /// Requests that wait, the oldest first.
    pub fn waiting(&self) -> Result<Vec<PathBuf>, StoreError> {
        self.files(REQUEST)
    }

    /// Removes answers that nobody took within [`ANSWER_MAX_AGE`], and files that were never finished; gives how many.
    pub fn tidy(&self, now: SystemTime) -> Result<usize, StoreError> {
        let mut removed = 0;
        for path in [self.files(ANSWER)?, self.files(UNFINISHED)?].concat() {
            let written = match fs::metadata(&path).and_then(|file| file.modified()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                written => written.map_err(StoreError::of("look at", &path))?,
            };
            // The future says that somebody set the clock back; its time comes.
            if now.duration_since(written).is_ok_and(|age| age >= ANSWER_MAX_AGE) {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    gone => {
                        gone.map_err(StoreError::of("remove", &path))?;
                        removed += 1;
                    }
                }
            }
        }
        Ok(removed)
    }

    /// Puts a file with a new name there.
    pub(super) fn put(&self, extension: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.folder).map_err(StoreError::of("make", &self.folder))?;
        let name = format!("{}-{}.{extension}", jiff::Timestamp::now().as_nanosecond(), std::process::id());
        let path = self.folder.join(name);
        replace(&path, bytes)?;
        Ok(path)
    }

    /// The files of a kind, the oldest first.
    pub(super) fn files(&self, kind: &str) -> Result<Vec<PathBuf>, StoreError> {
        let error = || StoreError::of("list", &self.folder);
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(error())?,
        };
        let mut paths = Vec::new();
        for entry in listed {
            let path = entry.map_err(error())?.path();
            if path.extension().is_some_and(|extension| extension == kind) {
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
pub fn answer(request: &Path, answers: &[impl Serialize]) -> Result<(), StoreError> {
    let mut text = Vec::new();
    for answer in answers {
        serde_json::to_writer(&mut text, answer)
            .map_err(|error| StoreError::of("write", request)(error.into()))?;
        text.push(b'\n');
    }
    replace(&request.with_extension(ANSWER), &text)?;
    fs::remove_file(request).map_err(StoreError::of("remove", request))
}

/// Takes the answer to a request; `None` while there is none.
pub fn take_answer<A: DeserializeOwned>(request: &Path) -> Result<Option<Vec<A>>, StoreError> {
    let path = request.with_extension(ANSWER);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(StoreError::of("read", &path))?,
    };
    fs::remove_file(&path).map_err(StoreError::of("remove", &path))?;
    Ok(Some(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()))
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension(UNFINISHED);
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
        assert_eq!(take_answer::<Answer>(&request).unwrap(), None);
        let answers = [Answer { letter: letters[0].to_string(), retried: true, detail: "d".to_owned() }];
        answer(&request, &answers).unwrap();
        assert!(requests.waiting().unwrap().is_empty());
        assert_eq!(take_answer(&request).unwrap().as_deref(), Some(&answers[..]));
        assert_eq!(take_answer::<Answer>(&request).unwrap(), None);
    }
    #[test]
    fn an_answer_that_nobody_takes_goes_at_its_age_and_a_request_never() {
        let data_dir = tempfile::tempdir().unwrap();
        let requests = Requests::new(data_dir.path());
        assert_eq!(requests.tidy(SystemTime::now()).unwrap(), 0, "no folder, nothing to tidy");
        let (answered, waits) = (requests.place(&[]).unwrap(), requests.place(&[]).unwrap());
        answer(&answered, &[] as &[Answer]).unwrap();
        let unfinished = waits.with_extension(UNFINISHED);
        fs::write(&unfinished, "half").unwrap();
        let written = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let answer_path = answered.with_extension(ANSWER);
        let (first, second) = (written(&answer_path), written(&unfinished));
        assert_eq!(requests.tidy(first + ANSWER_MAX_AGE - Duration::from_nanos(1)).unwrap(), 0);
        assert!(answer_path.exists() && unfinished.exists());
        assert_eq!(requests.tidy(first.max(second) + ANSWER_MAX_AGE).unwrap(), 2);
        assert!(!answer_path.exists() && !unfinished.exists());
        assert_eq!(requests.waiting().unwrap(), [waits]);
    }
}
