use std::io::{Read, Seek};
use std::process::{Command, Stdio};

use super::*;

#[path = "../../../../benches/texts/mod.rs"]
mod texts;

/// All that members are made at.
fn levels() -> impl Iterator<Item = Level> {
    Level::candidates().chain((7..=12).map(Level::libdeflate))
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn every_reader_of_gzip_reads_what_is_made_of_any_text() {
    let mut texts: Vec<Vec<u8>> = texts::all(1 << 20).into_iter().map(|(_, text)| text).collect();
    texts.push(noise(1 << 20));
    texts.push(vec![0; 1 << 20]);
    // One of each kind is whole, the others are short: an unoptimised build compresses slowly.
    let lengths = [0, 1, 2, 17, 255, 4_097, 65_535, 65_536, 65_537, 262_143];
    let mut gzip = Gzip::default();
    let (mut file, mut all) = (Vec::new(), Vec::new());
    for (at, text) in texts.iter().enumerate() {
        for level in Level::candidates() {
            let length = lengths[(at + all.len()) % lengths.len()];
            let whole = level == Level::candidates().next().unwrap();
            for text in [&text[..length], &text[..if whole { text.len() } else { length / 2 }]] {
                gzip.clear();
                let member = gzip.add(text, level);
                assert_eq!(member.level, level);
                let member = gzip.get(member.place);
                let mut read = vec![0; text.len()];
                let length = libdeflater::Decompressor::new().gzip_decompress(member, &mut read).unwrap();
                assert!(length == text.len() && read == text, "libdeflate {level} {length}");
                file.extend_from_slice(member);
                all.extend_from_slice(text);
            }
        }
    }
    let mut read = Vec::new();
    flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut read).unwrap();
    assert!(read == all, "zlib-rs");
    let mut compressed = tempfile::tempfile().unwrap();
    compressed.write_all(&file).unwrap();
    compressed.rewind().unwrap();
    let output =
        Command::new("gzip").args(["--decompress", "--stdout"]).stdin(Stdio::from(compressed)).output();
    assert!(output.unwrap().stdout == all, "gzip(1)");
}

#[test]
fn members_one_after_the_other_read_as_one_text() {
    let mut gzip = Gzip::default();
    let large = "x".repeat(3 * KEPT_CAPACITY);
    let mut file = Vec::new();
    for texts in [&["one\n", &large][..], &[""], &["two\n", "three\n"]] {
        let members: Vec<_> = texts
            .iter()
            .map(|text| gzip.add(text.as_bytes(), Level::libdeflate(text.len() as i32)).place)
            .collect();
        for member in members {
            file.extend_from_slice(gzip.get(member));
        }
        gzip.shrink();
    }
    let mut read = String::new();
    flate2::read::MultiGzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
    assert_eq!(read, format!("one\n{large}two\nthree\n"));
}

#[test]
fn every_level_works() {
    for level in levels() {
        let mut gzip = Gzip::default();
        let member = gzip.add(&[b'x'; 10_000], level);
        assert!(member.level == level && gzip.get(member.place).len() < 200, "{level}");
    }
}

#[cfg(feature = "isal")]
#[test]
fn where_isal_failed_or_the_text_is_too_long_for_it_libdeflate_takes_its_place() {
    let mut gzip = Gzip { use_isal: false, ..Gzip::default() };
    let member = gzip.add(b"a line\n", Level::ISAL);
    assert_eq!(member.level, Level::UNKNOWN);
    let mut read = String::new();
    flate2::read::GzDecoder::new(gzip.get(member.place)).read_to_string(&mut read).unwrap();
    assert_eq!(read, "a line\n");
    assert_ne!(gzip.fastest_within(&noise(SAMPLE)), Level::ISAL);
    assert_eq!(Gzip::default().fastest_within(&noise(SAMPLE)), Level::ISAL);
}

#[test]
fn a_large_member_does_not_hold_its_memory_for_ever() {
    let mut gzip = Gzip::default();
    gzip.add(&vec![0; 8 * KEPT_CAPACITY], Level::libdeflate(1));
    gzip.shrink();
    assert!(gzip.buffer.capacity() <= 2 * KEPT_CAPACITY);
}

#[test]
fn the_level_is_the_fastest_whose_size_is_within_the_limit() {
    // Noise leaves nothing to a better level; lines that are much alike do.
    let random = noise(80_000);
    let alike: String = (0..2_000)
        .map(|at| format!("{} GET /a/{}/b/{} 200 {}\n", at / 7, at % 13, at % 101, at * at))
        .collect();
    let alike = alike.as_bytes();
    let mut gzip = Gzip::default();
    let member = gzip.add(b"before", Level::libdeflate(1));
    assert_eq!(Some(gzip.fastest_within(&random)), Level::candidates().next());
    let level = gzip.fastest_within(alike);
    let fluentd = fluentd_length(alike);
    let faster = Level::candidates().take_while(|it| *it != level).map(|it| (it, false));
    for (tried, is_within) in faster.chain([(level, true)]) {
        let most = fluentd * max_percent(tried) / 100;
        assert_eq!(gzip.compress(alike, tried).0 - GZIP_FRAME <= most, is_within, "{tried}");
    }
    let mut read = String::new();
    flate2::read::GzDecoder::new(gzip.get(member.place)).read_to_string(&mut read).unwrap();
    assert_eq!(read, "before", "trials leave members alone");
}

#[test]
fn files_at_the_level_that_is_chosen_are_hardly_above_the_limit() {
    // What gzip(1) makes of the whole file, against members with the level of the first of them.
    for (name, text) in texts::all(2 << 20) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        file.rewind().unwrap();
        let fluentd =
            Command::new("gzip").args(["-6"]).stdin(Stdio::from(file)).output().unwrap().stdout.len();
        let mut gzip = Gzip::default();
        let level = gzip.fastest_within(&text);
        for member in text.chunks(320 * 1024) {
            gzip.add(member, level);
        }
        let percent = 100 * gzip.length / fluentd;
        assert!(percent <= MAX_PERCENT_OF_FLUENTD + 3, "{name} at {level}: {percent} %");
    }
}
