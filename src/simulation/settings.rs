//! What kind of world a seed makes.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use crate::config::{
    BacklogConfig, Config, FileOutputConfig, FilterConfig, JournalConfig, OutputConfig, OutputKind,
    OutputTake, WhenBacklogged, WhenFull,
};
use crate::journal::format::packed_entries::Packing;
use crate::output::file::DEAD_LETTERS;
use crate::storage::simulated::{Faults, Random};

/// Where the server keeps its data.
pub(super) fn data_dir() -> &'static Path {
    Path::new("/data")
}

/// Where the outputs write, each below its own id.
pub(super) fn archive_folder() -> &'static Path {
    Path::new("/logs")
}

/// Where others move archive files to.
pub(super) fn moved_folder() -> &'static Path {
    Path::new("/moved")
}

/// Outputs that differ in what they take, how many files they have, and whether they compress.
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = r#"
        [[input]]
        id = "edge"
        type = "forward"
        listen = "127.0.0.1:24224"

        [[filter]]
        match = "app.**"
        type = "drop"
        where = "n matches /[05]$/"

        [[output]]
        id = "plain"
        type = "file"
        match = "app.**"
        path = "/logs/plain/{host}/%H.log"
        start = "oldest"
        retry_timeout = "1s"
        secondary = "aside"

        [[output]]
        id = "packed"
        type = "file"
        match = "**"
        path = "/logs/packed/{tag}/%d.log.gz"
        start = "oldest"
        retry_timeout = "1s"

        [[output]]
        id = "hosts"
        type = "file"
        match = "{app.web,db}.**"
        path = "/logs/hosts/{host}.log.gz"
        start = "oldest"

        [[output]]
        id = "up"
        type = "forward"
        match = "app.**"
        servers = [{ address = "127.0.0.1:24225" }]
        start = "oldest"
        secondary = "spare"

        [[output]]
        id = "spare"
        type = "file"
        path = "/logs/spare/{host}.log"

        [[output]]
        id = "aside"
        type = "file"
        path = "/logs/aside/{host}.log"
    "#;
    Config::parse(text, None, &|_| None).expect("the configuration above is valid")
});

/// Tags that senders use. Each output takes some of them.
pub(super) const TAGS: [&str; 3] = ["app.web", "app.api", "db.main"];

/// What a seed decides once.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) journal: JournalConfig,
    pub(super) outputs: Vec<OutputConfig>,
    /// What [`is_dropped`] says, in half of the worlds; none in the others.
    pub(super) filters: Vec<FilterConfig>,
    /// What goes wrong, until everything is well in the end.
    pub(super) faults: Faults,
    /// How often a disk fills up or has space again: once in so many steps.
    pub(super) space_changes: u64,
    /// How often files break, or are mended: once in so many steps.
    pub(super) breakages: u64,
    /// How often others touch the archive.
    pub(super) meddling: u64,
    /// How often the clock is set.
    pub(super) clock_jumps: u64,
    /// How often an ack gets lost on its way.
    pub(super) lost_acks: u64,
    /// Processes before the last one.
    pub(super) lives: u64,
    pub(super) senders: usize,
    /// Bytes of the largest padding of an event.
    pub(super) padding: u64,
    /// How often a chunk is so large that it goes through a file.
    pub(super) large: u64,
    /// Bytes of such a chunk, about.
    pub(super) large_length: u64,
    /// How often a copy of the data folder is begun.
    pub(super) copies: u64,
}

impl Settings {
    /// `filters`: whether the world has them. Not drawn here, so that the numbers of worlds without stay theirs.
    pub(super) fn new(random: &mut Random, filters: bool) -> Self {
        let mut one_of = |choices: &[u64]| random.pick(choices).copied().unwrap_or_default();
        let segment_size = one_of(&[4096, 8192, 16384, 32768]);
        let journal = JournalConfig {
            max_size: segment_size * one_of(&[3, 5, 9]),
            when_full: match one_of(&[0, 0, 0, 0, 1, 2]) {
                0 => WhenFull::Block,
                1 => WhenFull::Reject,
                _ => WhenFull::DropOldest,
            },
            segment_size,
            memory: one_of(&[0, 4096, 1 << 20]),
            pace: Duration::ZERO,
            compression: match one_of(&[0, 0, 1, 2]) {
                0 => None,
                1 => Some(Packing::Lz4),
                _ => Some(Packing::Zstd),
            },
            retain: Duration::ZERO,
            dedup_window: Duration::from_secs(3600),
            dedup_max_ids: 10_000,
            dedup_max_ids_by_sender: 10_000,
            dedup_max_size: 256 << 20,
        };
        let faults = Faults {
            errors: one_of(&[0, 0, 200, 600]),
            failed_syncs: one_of(&[0, 15, 30, 100]),
            failed_folder_syncs: one_of(&[0, 0, 40]),
            short: one_of(&[0, 10, 100]),
            evictions: one_of(&[0, 30]),
        };
        // Half of all worlds: whoever is behind leaves segments behind.
        let max_backlogs = [None, None, Some(journal.segment_size), Some(2 * journal.segment_size)];
        let max_backlog = max_backlogs[one_of(&[0, 1, 2, 3]) as usize];
        // Where outputs may lose the oldest segments, this one would have to be told.
        let has_upstream = journal.when_full != WhenFull::DropOldest && one_of(&[0, 1, 1]) == 1;
        // In the others files that can't be written hold up their outputs.
        let gives_files_up = one_of(&[0, 1, 1]) == 1;
        // What is set aside or given up while a copy is made, or lost to an output, may be missing in it.
        let can_be_copied =
            u64::from(max_backlog.is_none() && !gives_files_up && journal.when_full != WhenFull::DropOldest);
        let outputs = CONFIG.outputs.iter().filter(|output| match output.id.as_str() {
            UP | SPARE => has_upstream,
            ASIDE => gives_files_up,
            _ => true,
        });
        Self {
            journal,
            filters: if filters { CONFIG.filters.clone() } else { Vec::new() },
            faults,
            space_changes: one_of(&[0, 0, 15, 40]),
            breakages: one_of(&[0, 50, 100]),
            meddling: one_of(&[0, 0, 25]),
            clock_jumps: one_of(&[0, 40]),
            lost_acks: one_of(&[0, 3, 10]),
            lives: 2 + one_of(&[0, 1, 2, 3, 4]),
            senders: 1 + one_of(&[0, 1, 2]) as usize,
            padding: one_of(&[20, segment_size / 32, segment_size / 8, segment_size / 6]),
            large: one_of(&[0, 6, 12]),
            large_length: segment_size / one_of(&[2, 4]),
            copies: one_of(&[0, 60]) * can_be_copied,
            outputs: outputs.map(|output| vary(output, max_backlog, gives_files_up, random)).collect(),
        }
    }
}

/// Where what is given up is kept until it is delivered.
pub(super) fn given_up_dir() -> PathBuf {
    data_dir().join("given-up")
}

/// Ids of everything that has a cursor: the outputs of the configuration, and the dead letters.
pub(super) const OUTPUTS: [&str; 5] = [PLAIN, PACKED, "hosts", DEAD_LETTERS, UP];

/// The outputs that give up files that can't be written, in half of the worlds.
pub(super) const PLAIN: &str = "plain";
pub(super) const PACKED: &str = "packed";

/// The forward output.
pub(super) const UP: &str = "up";

/// The output that gets what the forward output gives up, in half of the worlds that have one.
pub(super) const SPARE: &str = "spare";

/// The output that gets what the output `plain` gives up, in half of the worlds in which file outputs do.
pub(super) const ASIDE: &str = "aside";

/// The place of the dead letters among them.
pub(super) const DEAD_LETTERS_NUMBER: usize = 3;

/// The place of the forward output among them.
pub(super) const UP_NUMBER: usize = 4;

/// Whether an output gives up.
pub(super) fn gives_up(output: &OutputConfig) -> bool {
    match &output.kind {
        OutputKind::File(file) => file.give_up.is_some(),
        OutputKind::Forward(forward) => forward.give_up.is_some(),
    }
}

/// The folder that an output writes to, or of the forward output the one that gets what it gives up.
pub(super) fn folder_of_output(output: usize) -> PathBuf {
    match OUTPUTS[output] {
        DEAD_LETTERS => data_dir().join("dead-letters"),
        UP => archive_folder().join(SPARE),
        id => archive_folder().join(id),
    }
}

/// That folder, and where it is another one, that of whoever gets what the output gives up.
pub(super) fn folders_of_output(output: usize) -> Vec<PathBuf> {
    let secondary = (OUTPUTS[output] == PLAIN).then(|| archive_folder().join(ASIDE));
    [folder_of_output(output)].into_iter().chain(secondary).collect()
}

/// Whether the filters drop an event. By the record, so that some of a chunk go and others stay; and by what says nothing of
/// its file, so that in every file there would be some of them.
pub(super) fn is_dropped(tag: &str, number: u64) -> bool {
    tag.starts_with("app.") && number.is_multiple_of(5)
}

/// Which outputs take events of a tag, as their `match` says; the dead letters take none.
pub(super) fn takers(tag: &str) -> [bool; OUTPUTS.len()] {
    static BY_TAG: LazyLock<[[bool; OUTPUTS.len()]; TAGS.len()]> =
        LazyLock::new(|| TAGS.map(|tag| OUTPUTS.map(|output| takes(output, tag))));
    TAGS.iter().position(|known| *known == tag).map_or([false; OUTPUTS.len()], |tag| BY_TAG[tag])
}

fn takes(output: &str, tag: &str) -> bool {
    CONFIG.outputs.iter().any(|config| {
        config.id == output && matches!(&config.take, OutputTake::Match { tags, .. } if tags.matches(tag))
    })
}

/// The part of an output that files have.
pub(super) fn file_config(output: &OutputConfig) -> Option<&FileOutputConfig> {
    match &output.kind {
        OutputKind::File(file) => Some(file),
        OutputKind::Forward(_) => None,
    }
}

fn vary(
    output: &OutputConfig,
    max_backlog: Option<u64>,
    gives_files_up: bool,
    random: &mut Random,
) -> OutputConfig {
    let mut output = output.clone();
    let is_file_of_journal = file_config(&output).is_some() && ![SPARE, ASIDE].contains(&output.id.as_str());
    if max_backlog.is_some() && is_file_of_journal {
        output.backlog =
            BacklogConfig { max_backlog, when_backlogged: WhenBacklogged::DeadLetter, ..output.backlog };
    }
    if let OutputKind::Forward(forward) = &mut output.kind {
        forward.chunk_size = 1 << (7 + random.below(5));
        if let Some(give_up) = forward.give_up.as_mut().filter(|_| random.one_in(2)) {
            give_up.secondary = None;
        }
    }
    if let OutputKind::File(file) = &mut output.kind {
        file.flush_interval = Duration::from_millis(random.below(2000));
        file.checkpoint_interval = Duration::from_millis(random.below(5000));
        file.buffer_memory = 1 << (8 + random.below(10));
        file.max_open_files = 1 + random.below(4) as usize;
        file.compression_level = crate::config::CompressionLevel::Fixed(1);
        // The simulation has no threads.
        file.compression_threads = 1;
        file.undone_max_size = random.below(3) * 4096;
        file.give_up = file.give_up.take().filter(|_| gives_files_up);
        if let Some(give_up) = &mut file.give_up {
            // Soon, so that much can go wrong afterwards.
            give_up.after = Duration::from_millis(10 + random.below(500));
            output.retry_max_interval = Duration::from_millis(10 + random.below(4000));
            file.flush_interval = Duration::from_millis(random.below(500));
            file.checkpoint_interval = Duration::from_millis(random.below(1000));
            if random.one_in(2) {
                give_up.secondary = None;
            }
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_output_takes_some_tags_and_each_tag_has_an_output() {
        let taken = |output| TAGS.iter().filter(|tag| takes(output, tag)).count();
        assert_eq!((taken("plain"), taken("packed"), taken("hosts"), taken(DEAD_LETTERS)), (2, 3, 2, 0));
    }
}
