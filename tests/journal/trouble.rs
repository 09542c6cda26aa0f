//! What is wrong with a journal's folder, what is said of it, what is counted, and that all else is intact.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use hikyaku::journal::Journal;

use crate::{Bench, SEGMENT_SIZE, append, chunk, contents, start};

const CHUNKS: u8 = 20;

/// Something that is done to a sound journal of four segments.
struct Trouble {
    what: &'static str,
    done: fn(&Bench),
    /// How a start ends: with these words, or with these chunks lost.
    outcome: Outcome,
    /// Counted: damaged bytes (any or none) and missing segments.
    counted: (bool, u64),
}

enum Outcome {
    Refused(&'static [&'static str]),
    Lost(fn(u8) -> bool),
}

const NOTHING: Outcome = Outcome::Lost(|_| false);

/// Chunks are 10,000 bytes long, so that six of them are a segment.
const TROUBLES: &[Trouble] = &[
    Trouble {
        what: "a frame in the middle of a segment is damaged",
        done: |bench| write_at(bench, 2, 64 + 10_100, &[0xff; 64]),
        outcome: Outcome::Lost(|number| number == 7),
        counted: (true, 0),
    },
    Trouble {
        what: "all frames of a segment are damaged",
        done: |bench| write_at(bench, 2, 64, &vec![0xff; 60_000]),
        outcome: Outcome::Lost(|number| (6..12).contains(&number)),
        counted: (true, 0),
    },
    Trouble {
        what: "the footer of a segment is damaged",
        done: |bench| {
            let length = fs::metadata(bench.segment(2)).unwrap().len();
            write_at(bench, 2, length - 24, &[0; 24]);
        },
        outcome: NOTHING,
        counted: (false, 0),
    },
    Trouble {
        what: "nothing of a segment but its header is what was written",
        done: |bench| {
            let length = fs::metadata(bench.segment(2)).unwrap().len();
            write_at(bench, 2, 64, &vec![0xff; length as usize - 64]);
        },
        outcome: Outcome::Lost(|number| (6..12).contains(&number)),
        counted: (true, 0),
    },
    Trouble {
        what: "the header of a segment is damaged",
        done: |bench| write_at(bench, 2, 20, b"xx"),
        outcome: Outcome::Refused(&["0000000000000002.seg", "its header is damaged", "Move it away"]),
        counted: (false, 0),
    },
    Trouble {
        what: "a segment is missing",
        done: |bench| fs::remove_file(bench.segment(2)).unwrap(),
        outcome: Outcome::Lost(|number| (6..12).contains(&number)),
        counted: (false, 1),
    },
    Trouble {
        what: "a segment of a newer version",
        done: |bench| write_at(bench, 3, 8, &3u16.to_le_bytes()),
        outcome: Outcome::Refused(&["0000000000000003.seg", "format 3", "use a newer hikyaku"]),
        counted: (false, 0),
    },
    Trouble {
        what: "something else under the name of a segment",
        done: |bench| fs::write(bench.segment(9), "not a segment").unwrap(),
        outcome: Outcome::Refused(&["0000000000000009.seg", "no hikyaku segment", "Move it away"]),
        counted: (false, 0),
    },
    Trouble {
        what: "a segment under the number of another",
        done: |bench| {
            fs::copy(bench.segment(1), bench.segment(9)).unwrap();
        },
        outcome: Outcome::Refused(&["0000000000000009.seg", "another journal"]),
        counted: (false, 0),
    },
    Trouble {
        what: "a foreign file in the folder",
        done: |bench| fs::write(bench.path().join("journal/notes.txt"), "mine").unwrap(),
        outcome: NOTHING,
        counted: (false, 0),
    },
    Trouble {
        what: "another process in the folder",
        done: |bench| {
            // Held until the process ends: that of the test.
            std::mem::forget(Journal::lock(bench.path()).unwrap());
        },
        outcome: Outcome::Refused(&["is in use by another hikyaku", "data_dir of its own"]),
        counted: (false, 0),
    },
];

#[tokio::test]
async fn each_trouble_has_its_message_and_its_counter_and_leaves_all_else_intact() {
    for Trouble { what, done, outcome, counted } in TROUBLES {
        let mut bench = Bench::new();
        bench.config.max_size = 100 * SEGMENT_SIZE;
        let journal = bench.open();
        for number in 0..CHUNKS {
            append(&journal, chunk(&vec![number; 10_000])).await;
        }
        journal.close().await;
        drop(journal);
        assert!(bench.segment(4).exists());
        done(&bench);
        let before = snapshot(&bench);
        match (bench.try_open(), outcome) {
            (Ok(journal), Outcome::Lost(is_lost)) => {
                let read: Vec<u8> =
                    contents(&mut journal.reader(start())).iter().map(|chunk| chunk[0]).collect();
                let expected: Vec<u8> = (0..CHUNKS).filter(|number| !is_lost(*number)).collect();
                assert_eq!(read, expected, "{what}");
                // And it goes on.
                append(&journal, chunk(b"more")).await;
                journal.close().await;
            }
            (Err(error), Outcome::Refused(words)) => {
                let message = error.to_string();
                assert!(words.iter().all(|word| message.contains(word)), "{what}: {message}");
                assert_eq!(snapshot(&bench), before, "{what}: nothing is changed");
            }
            (Ok(_), Outcome::Refused(_)) => panic!("{what}: was not refused"),
            (Err(error), Outcome::Lost(_)) => panic!("{what}: {error}"),
        }
        let metrics = &bench.metrics.journal;
        assert_eq!((metrics.damaged_bytes.get() > 0, metrics.missing_segments.get()), *counted, "{what}");
        if bench.path().join("journal/notes.txt").exists() {
            assert_eq!(fs::read(bench.path().join("journal/notes.txt")).unwrap(), b"mine");
        }
    }
}

fn write_at(bench: &Bench, segment: u64, offset: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(bench.segment(segment)).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

/// All segments, byte for byte.
fn snapshot(bench: &Bench) -> Vec<(String, Vec<u8>)> {
    let read = |name: String| (name.clone(), fs::read(bench.path().join("journal").join(name)).unwrap());
    bench.files().into_iter().filter(|name| name.ends_with(".seg")).map(read).collect()
}
