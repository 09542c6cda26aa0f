use std::path::Path;

use super::super::tests::{abandoned, config, run};
use super::super::{Abandoned, FOLDER, chunk_of};
use super::*;
use crate::chunk::HandedOver;
use crate::config::StartAt;
use crate::journal::Position;
use crate::metrics::JournalMetrics;

/// The main journal, and what outputs of it gave up.
struct Scene {
    folder: tempfile::TempDir,
    main: Journal,
    given_up: GivenUp,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::on(folder)
    }

    fn on(folder: tempfile::TempDir) -> Self {
        let open = |data_dir: &Path, config| {
            Journal::open(data_dir, &config, JournalMetrics::unregistered()).unwrap()
        };
        let config = config(folder.path()).journal;
        let data_dir = folder.path().join(FOLDER);
        let given_up = GivenUp::new(open(&data_dir, GivenUp::journal_config(&config, 0)), data_dir);
        Self { main: open(folder.path(), config), folder, given_up }
    }

    async fn close(self) -> tempfile::TempDir {
        self.main.close().await;
        self.given_up.journal().close().await;
        self.folder
    }

    async fn restart(self) -> Self {
        Self::on(self.close().await)
    }

    fn name(&self) -> String {
        self.main.id().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// An output with this id that begins at `position` gives up what lies behind it.
    async fn gives_up(&self, output: &str, position: Position) {
        let (_hold, _) = Hold::open(&self.given_up, output, &self.name()).unwrap();
        let handed_over = HandedOver {
            from: output.to_owned(),
            journal: self.name(),
            segment: position.segment,
            offset: position.offset,
            end: 10,
            first: 0,
            ..abandoned(b"", run(2048)).handed_over
        };
        let id = format!("given up by {output}").into();
        self.given_up.take(Abandoned { handed_over, id, ..abandoned(b"", run(2048)) }).await.unwrap();
    }

    fn holds(&self) -> Vec<String> {
        let mut ids = self.given_up.journal().cursor_ids().unwrap();
        ids.retain(|id| is_hold(id));
        ids
    }

    /// Takes so many segments of what another output gives up.
    async fn fill(&self, segments: u64) {
        let before = self.given_up.journal().newest().segment;
        let mut number = 0_u32;
        while self.given_up.journal().newest().segment < before + segments {
            let id = format!("{before} {number}");
            let more = Abandoned { id: id.into(), ..abandoned(b"", run(32 * 1024)) };
            self.given_up.take(more).await.unwrap();
            number += 1;
        }
    }
}

#[tokio::test]
async fn the_hold_of_an_output_without_a_cursor_goes_and_that_of_one_that_runs_stays() {
    let scene = Scene::new();
    scene.gives_up("gone", Position::new(1, 64)).await;
    scene.gives_up("up", Position::new(1, 64)).await;
    let scene = scene.restart().await;
    let (_hold, taken) = Hold::open(&scene.given_up, "up", &scene.name()).unwrap();
    scene.given_up.remove_orphans(&scene.main);
    assert_eq!(scene.holds(), ["@from-up"]);
    let at = |entry| Position { entry, ..Position::new(1, 64) };
    assert!(taken.covers(&(at(0)..at(10))));
    scene.close().await;
}

#[tokio::test]
async fn the_hold_of_an_output_that_may_come_back_stays_until_its_cursor_has_passed_all_of_it() {
    let scene = Scene::new();
    let position = scene.main.attach("away", StartAt::Oldest).unwrap().saved().position;
    let events = run(10 * 1022);
    scene.main.append(chunk_of(abandoned(b"1", events))).await.unwrap().await.unwrap();
    scene.gives_up("away", position).await;
    let scene = scene.restart().await;
    scene.given_up.remove_orphans(&scene.main);
    assert_eq!(scene.holds(), ["@from-away"]);

    let scene = scene.restart().await;
    let mut cursor = scene.main.attach("away", StartAt::Oldest).unwrap();
    cursor.save(scene.main.newest(), 1).unwrap();
    drop(cursor);
    let scene = scene.restart().await;
    scene.given_up.remove_orphans(&scene.main);
    assert!(scene.holds().is_empty());
    scene.close().await;
}

#[tokio::test]
async fn a_hold_is_never_set_aside_and_its_space_is_free_once_it_goes() {
    let scene = Scene::new();
    scene.main.attach("away", StartAt::Oldest).unwrap();
    let position = scene.main.newest();
    scene.gives_up("away", position).await;
    // Nobody runs that could be asked to leave it behind, and it is more than half of the journal.
    let scene = scene.restart().await;
    scene.fill(6).await;
    assert!(scene.given_up.journal().set_aside().outputs().unwrap().is_empty());
    let before = scene.given_up.journal().bytes_on_disk();
    let folder = scene.close().await;
    std::fs::remove_file(folder.path().join("cursors/away.cursor")).unwrap();
    let scene = Scene::on(folder);
    scene.given_up.remove_orphans(&scene.main);
    scene.fill(1).await;
    assert!(scene.given_up.journal().bytes_on_disk() < before);
    scene.close().await;
}

#[tokio::test]
async fn what_an_earlier_version_set_aside_of_a_hold_is_removed() {
    let scene = Scene::new();
    let mut other = scene.given_up.journal().attach("other", StartAt::Oldest).unwrap();
    other.limit_backlog(&crate::config::BacklogConfig {
        max_backlog: Some(1),
        when_backlogged: crate::config::WhenBacklogged::DeadLetter,
        ..Default::default()
    });
    scene.fill(3).await;
    let skip = other.requested_skip().unwrap();
    other.skip(skip).unwrap();
    let segments = scene.folder.path().join("given-up/dead-letters/segments");
    std::fs::rename(segments.join("other"), segments.join("@from-gone")).unwrap();
    scene.given_up.remove_orphans(&scene.main);
    let set_aside = scene.given_up.journal().set_aside();
    assert_eq!(
        (set_aside.segments("@from-gone").unwrap(), set_aside.bytes("@from-gone").unwrap()),
        (vec![], 0)
    );
    scene.close().await;
}
