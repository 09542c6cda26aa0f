//! Which gzip level pays: `cargo bench --bench gzip [-- FILE...]`.
//!
//! Prints, for logs of several kinds and for the files that are named, how large each level of libdeflate and zlib-rs, with
//! `--features isal` those of ISA-L, and what `compression_level = "auto"` chooses, makes them, as a part of what gzip(1)
//! and Fluentd make at their level 6, and how fast a processor does so. Members are of 320 KiB of text, as an archive that is
//! busy has them.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod texts;

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::process::Command;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use hikyaku::output::file::gzip::{Gzip, Level, SAMPLE};
use libdeflater::{CompressionLvl, Compressor};

const MEMBER: usize = 320 * 1024;

/// Members from one sample to the next, where the level is `auto`.
const SAMPLE_EVERY: usize = 26;

fn main() {
    let mut texts: Vec<(String, Vec<u8>)> = texts::all(8 << 20);
    for file in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let mut text = Vec::new();
        std::fs::File::open(&file).unwrap().read_to_end(&mut text).unwrap();
        texts.push((file, text));
    }
    for (name, text) in texts {
        let fluentd = gzip_length(&text) as f64;
        println!(
            "{name}: {} KiB, gzip makes {:.1} % of it",
            text.len() >> 10,
            100.0 * fluentd / text.len() as f64
        );
        #[cfg(feature = "isal")]
        isal(&text, fluentd);
        for level in 1..=6 {
            let mut compressor = Compressor::new(CompressionLvl::new(level).unwrap());
            let mut out = vec![0; compressor.gzip_compress_bound(MEMBER)];
            report(&format!("libdeflate {level}"), &text, fluentd, |member| {
                compressor.gzip_compress(member, &mut out).unwrap()
            });
        }
        let mut gzip = Gzip::default();
        let (mut number, mut level) = (0, Level::UNKNOWN);
        report("auto", &text, fluentd, |member| {
            if number % SAMPLE_EVERY == 0 && member.len() >= SAMPLE {
                level = gzip.fastest_within(member);
            }
            number += 1;
            gzip.clear();
            gzip.add(member, level).place.len()
        });
        let mut samples: BTreeMap<Level, usize> = BTreeMap::new();
        for member in text.chunks_exact(MEMBER) {
            *samples.entry(gzip.fastest_within(member)).or_default() += 1;
        }
        let samples: Vec<String> =
            samples.iter().map(|(level, count)| format!("{count} times {level}")).collect();
        println!("  {:>14}  levels that samples of all members give: {}", "", samples.join(", "));
        for level in [1, 2, 3, 4, 6, 7] {
            let mut out = Vec::new();
            report(&format!("zlib-rs {level}"), &text, fluentd, |member| {
                out.clear();
                let mut encoder = GzEncoder::new(&mut out, Compression::new(level));
                encoder.write_all(member).unwrap();
                encoder.finish().unwrap().len()
            });
        }
    }
}

#[cfg(feature = "isal")]
fn isal(text: &[u8], fluentd: f64) {
    use isal::{Codec, CompressionLevel, compress_into};

    let levels = [(0, CompressionLevel::Zero), (1, CompressionLevel::One), (3, CompressionLevel::Three)];
    for (number, level) in levels {
        let mut out = vec![0; 2 * MEMBER];
        report(&format!("ISA-L {number}"), text, fluentd, |member| {
            compress_into(member, &mut out, level, Codec::Gzip).unwrap()
        });
    }
}

fn report(name: &str, text: &[u8], fluentd: f64, mut compress: impl FnMut(&[u8]) -> usize) {
    let started = Instant::now();
    let length: usize = text.chunks(MEMBER).map(&mut compress).sum();
    let megabytes = text.len() as f64 / 1e6 / started.elapsed().as_secs_f64();
    println!("  {name:>14}: {:.2} of its size, {megabytes:4.0} MB/s", length as f64 / fluentd);
}

fn gzip_length(text: &[u8]) -> usize {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    file.rewind().unwrap();
    Command::new("gzip").arg("-6").stdin(file).output().unwrap().stdout.len()
}
