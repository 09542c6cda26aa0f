//! The names in all folders: what every look-up sees, and what the disk has of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::content::Loss;
use super::random::Random;
use crate::storage::folder_of;

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    /// A file, by its number.
    File(u64),
}

/// All names.
#[derive(Debug, Default)]
pub(super) struct Names {
    visible: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// What the disk does not have yet, in order.
    pending: Vec<Change>,
}

/// A change that is made as a whole or not at all; a rename has both parts.
#[derive(Debug, Clone)]
struct Change {
    removed: Option<PathBuf>,
    added: Option<(PathBuf, Node)>,
}

impl Change {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.removed.as_deref().into_iter().chain(self.added.as_ref().map(|(path, _)| path.as_path()))
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        if let Some(path) = &self.removed {
            names.remove(path);
        }
        if let Some((path, node)) = &self.added {
            names.insert(path.clone(), *node);
        }
    }
}

impl Names {
    pub(super) fn get(&self, path: &Path) -> Option<Node> {
        if path == Path::new("/") { Some(Node::Folder) } else { self.visible.get(path).copied() }
    }

    /// Whether a file has a name, or may have one again.
    pub(super) fn know(&self, number: u64) -> bool {
        let node = Node::File(number);
        let added = self.pending.iter().filter_map(|change| change.added.as_ref());
        self.visible
            .values()
            .chain(self.durable.values())
            .chain(added.map(|(_, node)| node))
            .any(|known| *known == node)
    }

    /// Everything, by path.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Path, Node)> {
        self.visible.iter().map(|(path, node)| (path.as_path(), *node))
    }

    /// What lies right in a folder.
    pub(super) fn in_folder(&self, folder: &Path) -> impl Iterator<Item = (&Path, Node)> {
        let below = self.visible.range(folder.to_owned()..).skip_while(move |(path, _)| *path == folder);
        below
            .take_while(move |(path, _)| path.starts_with(folder))
            .filter(move |(path, _)| path.parent() == Some(folder))
            .map(|(path, node)| (path.as_path(), *node))
    }

    pub(super) fn add(&mut self, path: &Path, node: Node) {
        self.change(Change { removed: None, added: Some((path.to_owned(), node)) });
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.change(Change { removed: Some(path.to_owned()), added: None });
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        if let Some(node) = self.get(from) {
            self.change(Change { removed: Some(from.to_owned()), added: Some((to.to_owned(), node)) });
        }
    }

    /// Whether names in a folder changed that the disk does not have yet.
    pub(super) fn are_pending_in(&self, folder: &Path) -> bool {
        self.pending.iter().any(|change| change.paths().any(|path| folder_of(path) == folder))
    }

    /// Makes the names in a folder durable, with all that happened to these names before.
    pub(super) fn sync_folder(&mut self, folder: &Path) {
        let mut wanted: Vec<PathBuf> = Vec::new();
        let mut is_due = vec![false; self.pending.len()];
        for (index, change) in self.pending.iter().enumerate().rev() {
            is_due[index] = change
                .paths()
                .any(|path| folder_of(path) == folder || wanted.iter().any(|wanted| wanted == path));
            if is_due[index] {
                wanted.extend(change.paths().map(Path::to_owned));
            }
        }
        let mut index = 0;
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            index += 1;
            if is_due[index - 1] {
                change.apply(durable);
            }
            !is_due[index - 1]
        });
    }

    pub(super) fn sync_all(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// The power is gone: changes that were not synced are lost or not, but never the earlier of two to one name.
    pub(super) fn fail_power(&mut self, loss: Loss, random: &mut Random) {
        let mut lost: Vec<PathBuf> = Vec::new();
        for change in std::mem::take(&mut self.pending) {
            let survives = match loss {
                Loss::Everything => false,
                Loss::Nothing => true,
                Loss::Some => random.one_in(2),
            };
            if survives && !change.paths().any(|path| lost.iter().any(|lost| lost == path)) {
                change.apply(&mut self.durable);
            } else {
                lost.extend(change.paths().map(Path::to_owned));
            }
        }
        // With a folder goes what was in it. A folder comes before what is in it.
        let mut kept: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for (path, node) in std::mem::take(&mut self.durable) {
            let folder = folder_of(&path);
            if folder == Path::new("/") || kept.get(folder) == Some(&Node::Folder) {
                kept.insert(path, node);
            }
        }
        self.visible.clone_from(&kept);
        self.durable = kept;
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.visible);
        self.pending.push(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &Names) -> Vec<&str> {
        names.all().map(|(path, _)| path.to_str().unwrap()).collect()
    }

    fn fail_power(names: &mut Names, loss: Loss) {
        names.fail_power(loss, &mut Random::new(1));
    }

    #[test]
    fn a_name_survives_once_its_folder_is_synced() {
        let mut names = Names::default();
        names.add(Path::new("/a"), Node::Folder);
        names.add(Path::new("/a/1"), Node::File(1));
        names.sync_folder(Path::new("/"));
        names.add(Path::new("/a/2"), Node::File(2));
        names.sync_folder(Path::new("/a"));
        names.add(Path::new("/a/3"), Node::File(3));
        assert_eq!(names.in_folder(Path::new("/a")).count(), 3);
        fail_power(&mut names, Loss::Everything);
        assert_eq!(paths(&names), ["/a", "/a/1", "/a/2"]);
    }

    #[test]
    fn with_a_folder_goes_what_was_synced_in_it() {
        let mut names = Names::default();
        names.add(Path::new("/a"), Node::Folder);
        names.add(Path::new("/a/1"), Node::File(1));
        names.sync_folder(Path::new("/a"));
        fail_power(&mut names, Loss::Everything);
        assert_eq!(paths(&names), Vec::<&str>::new());
    }

    #[test]
    fn a_rename_happens_as_a_whole_or_not_at_all() {
        for seed in 0..20 {
            let mut names = Names::default();
            names.add(Path::new("/old"), Node::File(1));
            names.add(Path::new("/new"), Node::File(2));
            names.sync_all();
            names.rename(Path::new("/new"), Path::new("/old"));
            names.fail_power(Loss::Some, &mut Random::new(seed));
            let found = (names.get(Path::new("/old")), names.get(Path::new("/new")));
            let expected = [(Some(Node::File(1)), Some(Node::File(2))), (Some(Node::File(2)), None)];
            assert!(expected.contains(&found), "{found:?}");
        }
    }

    #[test]
    fn a_later_change_of_a_name_never_survives_an_earlier_one() {
        for seed in 0..50 {
            let mut names = Names::default();
            names.add(Path::new("/a.tmp"), Node::File(1));
            names.rename(Path::new("/a.tmp"), Path::new("/a"));
            names.fail_power(Loss::Some, &mut Random::new(seed));
            assert!(names.all().count() <= 1);
        }
    }
}
