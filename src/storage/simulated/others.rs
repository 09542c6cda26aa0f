//! What others do on the disk, and whoever checks it: no call of the process, and never a failure.

use std::path::{Path, PathBuf};

use super::Simulated;
use super::content::Content;
use super::names::Node;

impl Simulated {
    /// Makes a folder, durably.
    pub fn add_folder(&self, path: &Path) {
        let mut state = self.state();
        state.names.add(path, Node::Folder);
        state.names.sync_all();
    }

    /// What every process sees of a file; `None` where there is none.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        match state.names.get(path)? {
            Node::File(number) => state.content(number).map(|content| content.bytes().to_vec()),
            Node::Folder => None,
        }
    }

    /// All files below a folder, by path.
    pub fn files_below(&self, folder: &Path) -> Vec<PathBuf> {
        let state = self.state();
        let below =
            state.names.all().filter(|(path, node)| path.starts_with(folder) && *node != Node::Folder);
        below.map(|(path, _)| path.to_owned()).collect()
    }

    /// Gives a file another name in the same or another folder that is there. Not synced.
    pub fn move_away(&self, from: &Path, to: &Path) {
        // There is nobody to tell: a file that is not there can't be moved away.
        let _ = self.state().rename(from, to);
    }

    /// Cuts a file. Not synced.
    pub fn cut(&self, path: &Path, length: u64) {
        let mut state = self.state();
        if let Some(Node::File(number)) = state.names.get(path)
            && let Ok(file) = state.file(number)
        {
            file.content.set_len(length as usize);
        }
    }

    /// Removes a file. Not synced.
    pub fn remove_file(&self, path: &Path) {
        // As for moving.
        let _ = self.state().remove(path);
    }

    /// The disk can't read these bytes of a file any more, whoever tries.
    pub fn break_bytes(&self, path: &Path, range: std::ops::Range<u64>) {
        let mut state = self.state();
        if let Some(Node::File(number)) = state.names.get(path) {
            state.unreadable.push((number, range));
        }
    }

    /// The disk can read everything again.
    pub fn mend(&self) {
        self.state().unreadable.clear();
    }

    /// Syncs everything, as the kernel does now and then by itself.
    pub fn write_back(&self) {
        self.state().sync_all();
    }

    /// The kernel needs memory, and forgets all pages that it calls clean.
    pub fn evict(&self) {
        self.state().evict();
    }

    /// Whether the disk has all of a file's bytes.
    pub fn is_synced(&self, path: &Path) -> bool {
        let state = self.state();
        match state.names.get(path) {
            Some(Node::File(number)) => state.content(number).is_some_and(Content::is_synced),
            _ => true,
        }
    }
}
