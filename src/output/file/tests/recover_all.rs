//! Which outputs may wait with their recovery, and which the start waits for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::journal::CursorFolder;
use crate::metrics::Metrics;
use crate::output::file::{Archive, ArchiveOptions, RecoverError, Unrecovered, recover_all};
use crate::storage::disk;

/// A data folder and an archive of which one file has lines behind its last checkpoint, that can't be taken back yet.
struct Scene {
    folder: tempfile::TempDir,
    metrics: Arc<Metrics>,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), metrics: Metrics::new("test", 10) };
        let undo_folder = scene.data_dir().join("outputs/archive");
        std::fs::create_dir_all(&undo_folder).unwrap();
        CursorFolder::new(&scene.data_dir()).prepare().unwrap();
        let options = ArchiveOptions {
            undo_folder,
            generation: 0,
            max_open_files: 4,
            compression_level: crate::config::CompressionLevel::Fixed(1),
            compression_threads: 1,
            is_cautious: false,
        };
        let mut archive = Archive::new(disk(), options, scene.metrics.output("archive", "file"));
        let slot = archive.slot(&scene.folder.path().join("logs/web/2026.log"));
        archive.append(slot, |lines| lines.extend_from_slice(b"behind the checkpoint\n")).unwrap();
        archive.flush(&mut |_| Ok(())).unwrap();
        scene.block();
        scene
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts something in the way of what is cut off.
    fn block(&self) {
        std::fs::write(self.data_dir().join("undone"), "in the way").unwrap();
    }

    fn recover(&self, paths: &[(&str, &str)]) -> Result<Unrecovered, RecoverError> {
        let mut text = String::from("[[input]]\nid = 'edge'\ntype = 'forward'\nlisten = '127.0.0.1:0'\n");
        let root = self.folder.path().display();
        for (id, path) in paths {
            text += &format!(
                "[[output]]\nid = '{id}'\ntype = 'file'\nmatch = '{id}.**'\npath = '{root}/{path}'\n"
            );
        }
        let config = Config::parse(&text, None, &|_| None).unwrap();
        recover_all(&disk(), &self.data_dir(), &config.outputs, &self.metrics)
    }

    fn is_recovered(&self) -> bool {
        !Path::new(&self.folder.path().join("logs/web/2026.log")).exists()
    }
}

#[test]
fn an_output_that_cannot_be_recovered_waits_and_the_others_do_not() {
    let scene = Scene::new();
    let unrecovered = scene.recover(&[("archive", "logs/{x}/%Y.log"), ("other", "other/{x}.log")]).unwrap();
    assert!(unrecovered.ids().eq(["archive"]));
    assert!(!scene.is_recovered());
    std::fs::remove_file(scene.data_dir().join("undone")).unwrap();
    scene.recover(&[("archive", "logs/{x}/%Y.log")]).unwrap().all_handed_over().unwrap();
    assert!(scene.is_recovered());
}

#[test]
fn the_start_waits_where_another_output_could_write_to_the_same_files() {
    let scene = Scene::new();
    let error = scene.recover(&[("archive", "new/{x}.log"), ("other", "logs/{x}/%Y.log")]).unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, RecoverError::Shared { .. }), "{told}");
    assert!(told.contains("the output other may not run") && told.contains("logs/web/2026.log"), "{told}");
}

#[test]
fn the_start_waits_where_the_output_does_not_run_any_more() {
    let scene = Scene::new();
    let unrecovered = scene.recover(&[("other", "other/{x}.log")]).unwrap();
    let told = unrecovered.all_handed_over().unwrap_err().to_string();
    assert!(told.contains("output archive, which the configuration no longer has"), "{told}");
}

#[test]
fn an_undo_log_that_cannot_be_read_is_nothing_to_wait_for() {
    let scene = Scene::new();
    let undo_folder = scene.data_dir().join("outputs/archive");
    std::fs::rename(undo_folder.join("undo-0"), undo_folder.join("undo-1")).unwrap();
    let error = scene.recover(&[("archive", "logs/{x}/%Y.log")]).unwrap_err();
    assert!(matches!(error, RecoverError::Output { .. }), "{error}");
}
