use std::collections::BTreeSet;

use bytes::Bytes;

use super::*;
use crate::chunk::Chunk;
use crate::journal::{Replays, SavedCursor};
use crate::metrics::Metrics;
use crate::pipeline::{Source, Tally};

/// What is there over restarts: a data folder, with ten chunks of the tags `a.0`, `b.1`, `a.2` and so on.
struct Scene {
    folder: tempfile::TempDir,
    starts: Vec<Position>,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Self { folder, starts: Vec::new() };
        let (journal, _) = scene.open(FIRST);
        for number in 0..10 {
            scene.starts.push(journal.newest());
            let tag = format!("{}.{number}", if number % 2 == 0 { "a" } else { "b" });
            let chunk = Chunk { tag: Bytes::from(tag), ..Chunk::of_one(&b"\x92\x01\x81\xa1a\x01"[..]) };
            journal.append(chunk).await.unwrap().await.unwrap();
        }
        scene.starts.push(journal.newest());
        journal.close().await;
        scene
    }

    fn config(&self, outputs: &str) -> Config {
        let text = format!(
            "[server]\ndata_dir = {:?}\n[journal]\nmax_size = \"3MiB\"\nsegment_size = \"1MiB\"\n\
             [[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmax_message_size = \"64KiB\"\n\
             {outputs}\n[[output]]\nid = \"rest\"\ntype = \"file\"\nfallback = true\nstart = \"oldest\"\n\
             path = \"/logs/rest.log\"\n",
            self.folder.path()
        );
        Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// A start up to where outputs would be opened.
    fn open(&self, outputs: &str) -> (Journal, Pipeline) {
        let config = self.config(outputs);
        let metrics = Metrics::new("test", 10);
        let journal = Journal::open(self.folder.path(), &config.journal, metrics.journal.clone()).unwrap();
        let pipeline = Pipeline::new(&config.filters, &config.outputs, "test").with_inputs(&config.inputs);
        let pipeline = follow(&journal, &config, pipeline).unwrap();
        (journal, pipeline)
    }

    /// Saves that an output has delivered so many chunks.
    fn has_delivered(&self, id: &str, chunks: usize) {
        let cursors = CursorFolder::new(self.folder.path());
        let journal =
            crate::journal::inspect::Inspection::new(self.folder.path()).summary(1).unwrap().header.journal;
        let cursor = SavedCursor {
            journal,
            position: self.starts[chunks],
            generation: 1,
            replays: Replays::default(),
        };
        cursors.prepare().unwrap();
        cursors.save(id, &cursor).unwrap();
    }

    /// Starts with other outputs; gives the numbers of the chunks that each output still takes.
    async fn restart(&self, outputs: &str, ids: &[&str]) -> Vec<BTreeSet<usize>> {
        let (journal, pipeline) = self.open(outputs);
        let mut taken = Vec::new();
        for id in ids {
            let config = self.config(outputs);
            let start = config.outputs.iter().find(|output| output.id == *id).unwrap().start;
            let cursor = journal.attach(id, start).unwrap();
            let mut selector = pipeline.selector(id).unwrap();
            let mut reader = cursor.reader(cursor.saved().position);
            let mut numbers = BTreeSet::new();
            while let Some(chunk) = reader.try_next().unwrap() {
                let source = Source::of(&chunk, &[]);
                let selector = selector.at(chunk.position);
                let tally: Result<Tally, ()> = selector.for_each(&source, chunk.entries(), |_| Ok(()));
                if selector.wants(chunk.input(), chunk.tag()) && tally.unwrap().taken > 0 {
                    numbers.insert(self.starts.iter().position(|start| *start == chunk.position).unwrap());
                }
            }
            taken.push(numbers);
        }
        journal.close().await;
        taken
    }
}

fn input(id: &str, keys: &str) -> String {
    format!(
        "[[input]]\nid = \"{id}\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmax_message_size = \"64KiB\"\n{keys}\n"
    )
}

fn output(id: &str, keys: &str) -> String {
    format!("[[output]]\nid = \"{id}\"\ntype = \"file\"\npath = \"/logs/{id}/x.log\"\n{keys}\n")
}

const FIRST: &str =
    "[[output]]\nid = \"one\"\ntype = \"file\"\npath = \"/logs/one/x.log\"\nmatch = \"a.**\"\n";

fn numbers(numbers: &[usize]) -> BTreeSet<usize> {
    numbers.iter().copied().collect()
}

#[tokio::test]
async fn without_a_change_everything_goes_on_as_before() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 4);
    scene.has_delivered("rest", 6);
    let taken = scene.restart(FIRST, &["one", "rest"]).await;
    assert_eq!(taken, [numbers(&[4, 6, 8]), numbers(&[7, 9])]);
}

#[tokio::test]
async fn what_an_output_no_longer_matches_and_has_not_delivered_goes_to_the_fallback() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 3);
    scene.has_delivered("rest", 8);
    let taken = scene.restart(&output("one", "match = \"nothing\""), &["one", "rest"]).await;
    assert_eq!(taken[0], numbers(&[]));
    assert!(taken[1].is_superset(&numbers(&[4, 6, 8, 9])), "{:?}", taken[1]);
    assert!(!taken[1].contains(&2), "the output had delivered that");
}

#[tokio::test]
async fn what_an_output_matches_now_and_passed_before_goes_to_the_fallback() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 8);
    scene.has_delivered("rest", 2);
    let outputs = output("one", "match = \"b.**\"");
    let taken = scene.restart(&outputs, &["one", "rest"]).await;
    assert_eq!(taken[0], numbers(&[9]));
    assert!(taken[1].is_superset(&numbers(&[3, 5, 7])), "{:?}", taken[1]);
    assert!(!taken[1].contains(&9), "the output takes that");
    // The same after another crash, before the fallback has come that far.
    scene.has_delivered("rest", 4);
    let taken = scene.restart(&outputs, &["one", "rest"]).await;
    assert!(taken[1].is_superset(&numbers(&[5, 7])), "{:?}", taken[1]);
}

#[tokio::test]
async fn what_lies_before_the_start_of_a_new_output_goes_to_the_fallback() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 10);
    scene.has_delivered("rest", 5);
    let outputs = [FIRST, &output("two", "match = \"b.**\"")].concat();
    let taken = scene.restart(&outputs, &["one", "two", "rest"]).await;
    assert_eq!(taken[1], numbers(&[]), "it starts at the newest event");
    assert!(taken[2].is_superset(&numbers(&[5, 7, 9])), "{:?}", taken[2]);
}

#[tokio::test]
async fn what_an_output_had_not_delivered_when_it_was_renamed_is_held_for_it_and_taken_by_the_fallback() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 4);
    scene.has_delivered("rest", 6);
    let taken = scene.restart(&output("new", "match = \"a.**\""), &["new", "rest"]).await;
    assert_eq!(taken[0], numbers(&[]));
    assert!(taken[1].is_superset(&numbers(&[6, 7, 8, 9])), "{:?}", taken[1]);
    // Chunk 4 is where the cursor of the old name is, which still holds it.
    let cursor = CursorFolder::new(scene.folder.path()).load("one").unwrap().unwrap();
    assert_eq!(cursor.position, scene.starts[4]);
}

#[tokio::test]
async fn what_a_mended_filter_no_longer_gives_an_output_goes_to_the_fallback() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 3);
    scene.has_delivered("rest", 9);
    let filter = "[[filter]]\nmatch = \"a.**\"\ntype = \"retag\"\ntag = \"elsewhere\"\n";
    let outputs = [filter, FIRST].concat();
    let taken = scene.restart(&outputs, &["one", "rest"]).await;
    assert_eq!(taken[0], numbers(&[]));
    assert!(taken[1].is_superset(&numbers(&[4, 6, 8])), "{:?}", taken[1]);
}

#[tokio::test]
async fn two_outputs_that_swap_what_they_take_leave_the_rest_to_the_fallback() {
    let scene = Scene::new().await;
    let swap = |one: &str, two: &str| {
        [output("one", &format!("match = \"{one}\"")), output("two", &format!("match = \"{two}\""))].concat()
    };
    scene.restart(&swap("a.**", "b.**"), &[]).await;
    scene.has_delivered("one", 2);
    scene.has_delivered("two", 7);
    scene.has_delivered("rest", 10);
    let taken = scene.restart(&swap("b.**", "a.**"), &["one", "two", "rest"]).await;
    assert_eq!(taken[0], numbers(&[3, 5, 7, 9]));
    assert_eq!(taken[1], numbers(&[8]));
    assert!(taken[2].is_superset(&numbers(&[2, 4, 6])), "{:?}", taken[2]);
}

#[tokio::test]
async fn the_first_start_of_this_version_changes_nothing() {
    let scene = Scene::new().await;
    std::fs::remove_file(scene.folder.path().join("routing.json")).unwrap();
    scene.has_delivered("one", 2);
    scene.has_delivered("rest", 8);
    let taken = scene.restart(FIRST, &["one", "rest"]).await;
    assert_eq!(taken, [numbers(&[2, 4, 6, 8]), numbers(&[9])]);
}

#[tokio::test]
async fn a_damaged_and_a_newer_record_are_refused_by_name() {
    let scene = Scene::new().await;
    let path = scene.folder.path().join("routing.json");
    for (content, expected) in [("{", "is damaged"), ("{\"version\": 2}", "use a newer hikyaku")] {
        std::fs::write(&path, content).unwrap();
        let error = load(&crate::storage::Disk, &path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("routing.json"), "{error}");
    }
}

#[test]
fn the_same_configuration_has_the_same_fingerprint() {
    let text = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
                [[output]]\nid = \"one\"\ntype = \"file\"\npath = \"/logs/x.log\"\nmatch = \"a.**\"\nwhere = \"a = 'x'\"\n";
    let parse = |text: &str| Config::parse(text, None, &|_| None).unwrap();
    let fingerprint = |config: &Config| super::fingerprint(config, &config.outputs[0]);
    // Whoever changes this makes every upgrade look like a change of what outputs take.
    let pinned = "2:c76d218c47e0da235cedb317335c8a37e0ddbaa180ce0d302620f226faa1d473";
    assert_eq!(fingerprint(&parse(text)), pinned);
    let first = fingerprint(&parse(text));
    assert_eq!(first, fingerprint(&parse(text)));
    assert_ne!(first, fingerprint(&parse(&text.replace("'x'", "'y'"))));
    assert_ne!(first, fingerprint(&parse(&text.replace("a.**", "b.**"))));
}

#[tokio::test]
async fn a_named_pipeline_keeps_its_filters_where_its_outputs_do_not_hold_yet() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 8);
    scene.has_delivered("rest", 2);
    // All events go to a pipeline of their own, and to a new output there: before that, nobody but the fallback.
    let outputs = format!(
        "pipeline = \"apart\"\n{}{}{}",
        input("second", ""),
        output("one", "match = \"a.**\""),
        output("new", "match = \"**\"\npipeline = \"apart\"\nstart = \"newest\"")
    );
    let taken = scene.restart(&outputs, &["one", "new", "rest"]).await;
    assert_eq!(taken[..2], [numbers(&[]), numbers(&[])]);
    assert!(taken[2].is_superset(&numbers(&[3, 5, 7, 8, 9])), "{:?}", taken[2]);
}

#[tokio::test]
async fn what_an_output_refuses_now_goes_to_the_fallback_where_the_one_for_invalid_events_has_passed_it() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 2);
    scene.has_delivered("bad", 8);
    scene.has_delivered("rest", 8);
    let bad = output("bad", "invalid = true");
    scene.restart(&format!("{FIRST}{bad}"), &["one"]).await;
    let outputs = format!("{}{bad}", output("one", "match = \"a.**\"\nrequire = [\"team\"]"));
    let taken = scene.restart(&outputs, &["one", "bad", "rest"]).await;
    assert_eq!(taken[..2], [numbers(&[]), numbers(&[8])]);
    assert!(taken[2].is_superset(&numbers(&[2, 4, 6])), "{:?}", taken[2]);
}

#[test]
fn whatever_decides_what_an_output_takes_is_a_change() {
    let parse = |edge: &str, rest: &str| {
        let text = format!(
            "[journal]\nmax_size = \"3MiB\"\nsegment_size = \"1MiB\"\n[[input]]\nid = \"edge\"\ntype = \"forward\"\n\
             listen = \"127.0.0.1:0\"\nmax_message_size = \"64KiB\"\n{edge}\n{}{}{rest}",
            input("second", ""),
            input("third", "pipeline = \"apart\"")
        );
        Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let seen = |config: &Config| {
        let output = config.outputs.iter().find(|output| output.id == "one").unwrap();
        fingerprint(config, output)
    };
    let relabel = "[[filter]]\ntype = \"relabel\"\nto = \"apart\"\n";
    let relabel_other = "[[filter]]\ntype = \"relabel\"\nmatch = \"b\"\nto = \"apart\"\n";
    let throttle =
        |limit: u32| format!("[[filter]]\ntype = \"throttle\"\nlimit = {limit}\ninterval = \"1s\"\n");
    let other = output("other", "match = \"**\"\npipeline = \"apart\"");
    let other = format!("{}{other}", output("bad", "invalid = true"));
    let first = |extra: &str| format!("{extra}{FIRST}{other}");
    let base = seen(&parse("", &first("")));
    let elsewhere = format!("# another place in the file\n\n{}", throttle(1));
    assert_eq!(seen(&parse("", &first(&elsewhere))), seen(&parse("", &first(&throttle(1)))));
    let changed = [
        parse("pipeline = \"apart\"", &first("")),
        parse("[input.allow]\nhost = [\"{@source_address}\"]", &first("")),
        parse("", &first(relabel)),
        parse("", &first(relabel_other)),
        parse("", &first(&throttle(1))),
        parse("", &first(&throttle(2))),
        parse("", &format!("{}{other}", output("one", "match = \"a.**\"\npipeline = \"apart\""))),
    ];
    let mut prints: Vec<_> = changed.iter().map(seen).collect();
    prints.push(base);
    let different: BTreeSet<_> = prints.iter().collect();
    assert_eq!(different.len(), prints.len());
}

#[test]
fn the_name_of_the_server_counts_where_it_is_used_and_nowhere_else() {
    let parse = |name: &str, more: &str| {
        let text = format!(
            "[server]\nname = \"{name}\"\n[journal]\nmax_size = \"3MiB\"\nsegment_size = \"1MiB\"\n[[input]]\n\
             id = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmax_message_size = \"64KiB\"\n{more}{FIRST}"
        );
        Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let seen = |name: &str, more: &str| {
        let config = parse(name, more);
        fingerprint(&config, &config.outputs[0])
    };
    let set = |value: &str| format!("[[filter]]\ntype = \"set\"\nfields = {{ by = \"{value}\" }}\n");
    assert_eq!(seen("one", ""), seen("two", ""));
    assert_eq!(seen("one", &set("{@sender}")), seen("two", &set("{@sender}")));
    assert_ne!(seen("one", &set("{@server}")), seen("two", &set("{@server}")));
}

#[tokio::test]
async fn a_fingerprint_of_the_version_before_is_no_change() {
    let scene = Scene::new().await;
    scene.has_delivered("one", 4);
    scene.has_delivered("rest", 8);
    let path = scene.folder.path().join("routing.json");
    let config = scene.config(FIRST);
    let mut record = load(&crate::storage::Disk, &path).unwrap().unwrap();
    for output in &config.outputs {
        let known = record.outputs.get_mut(&output.id).unwrap();
        assert!(known.rules.starts_with("2:"));
        known.rules = fingerprint::of_before(&config, output);
    }
    std::fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
    let taken = scene.restart(FIRST, &["rest"]).await;
    assert_eq!(taken, [numbers(&[9])]);
    let record = load(&crate::storage::Disk, &path).unwrap().unwrap();
    assert!(record.outputs.values().all(|known| known.rules.starts_with("2:")));
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_change_leaves_no_event_between_outputs() {
    let changed = output("one", "match = \"none\"");
    for is_kept in [true, false] {
        let scene = Scene::new().await;
        scene.has_delivered("one", 4);
        scene.has_delivered("rest", 8);
        let path = scene.folder.path().join("routing.json");
        let before = std::fs::read(&path).unwrap();
        // The fallback is taken back; the process dies before it delivers, with what outputs take saved or not.
        scene.open(&changed).0.close().await;
        if !is_kept {
            std::fs::write(&path, &before).unwrap();
        }
        let taken = scene.restart(&changed, &["one", "rest"]).await;
        assert_eq!(taken[0], numbers(&[]));
        assert!(taken[1].is_superset(&numbers(&[4, 6, 8])), "{is_kept}: {:?}", taken[1]);
        // And once more, back to what it was.
        let taken = scene.restart(FIRST, &["one", "rest"]).await;
        let all: BTreeSet<_> = taken.iter().flatten().copied().collect();
        assert!(all.is_superset(&numbers(&[4, 6, 8])), "{is_kept}: {taken:?}");
    }
}
