//! Disks that fill up and are freed: one of 64 MiB, and one that tells it only at the sync.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hikyaku::wire::client::{Packed, encode_packed};

use crate::large;
use crate::support::Scene;

const EVENTS: u64 = 40_000;

/// A file system in a file, mounted as long as this lives.
struct SmallDisk {
    mounted_at: PathBuf,
}

impl SmallDisk {
    fn mount(image: &Path, at: &Path) -> Self {
        File::create(image).unwrap().set_len(64 * 1024 * 1024).unwrap();
        fs::create_dir(at).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image));
        run(Command::new("mount").args(["-o", "loop"]).arg(image).arg(at));
        Self { mounted_at: at.to_owned() }
    }

    /// Takes all the space there is.
    fn fill(&self) {
        let mut file = File::create(self.mounted_at.join("filler")).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write_all(&vec![7; size]).and_then(|()| file.sync_data()).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.mounted_at.join("filler")).unwrap();
    }
}

/// A file system that believes in space which there is not: it lies in a file without blocks, on a disk that fills up.
/// Writes succeed, and syncs tell.
struct ThinDisk {
    _thin: SmallDisk,
    below: SmallDisk,
}

impl ThinDisk {
    fn mount(folder: &Path, at: &Path) -> Self {
        fs::create_dir(folder).unwrap();
        fs::create_dir(at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder));
        let below = SmallDisk { mounted_at: folder.to_owned() };
        let image = folder.join("disk.img");
        File::create(&image).unwrap().set_len(64 * 1024 * 1024).unwrap();
        // Without a journal of its own, which would end the file system with its first write that fails.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-O", "^has_journal"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop,errors=continue"]).arg(&image).arg(at));
        Self { _thin: SmallDisk { mounted_at: at.to_owned() }, below }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that a failed test leaves behind may still be there for a moment.
        run(Command::new("umount").arg("--lazy").arg(&self.mounted_at));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "mounts a file system, for which it needs root and a loop device; ./test.sh runs it as root"]
fn on_a_disk_that_fills_up_senders_wait_all_else_goes_on_and_it_resumes_when_there_is_space() {
    let scene = Scene::new();
    let disk = SmallDisk::mount(&scene.path("disk.img"), &scene.path("data"));
    // Nothing is delivered meanwhile, which would make room.
    fs::write(scene.path("archive"), "in the way").unwrap();
    let server = scene.start();
    disk.fill();
    let sender = scene
        .send(server.port("edge"))
        .args(["nginx.access", "--count", &EVENTS.to_string(), "--connections", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.until_unready("disk");
    assert_eq!(server.get("health", "/health").0, 200);
    assert_eq!(server.metric("hikyaku_journal_accepting"), 0.0);

    disk.free();
    assert!(sender.wait_with_output().unwrap().status.success());
    assert_eq!(server.get("health", "/ready").0, 200);

    // Full again while the backlog is delivered, which makes room.
    disk.fill();
    fs::remove_file(scene.path("archive")).unwrap();
    server.until_metric("fluentd_output_status_num_records_total", EVENTS as f64);
    assert!(server.stop().success());
    let mut numbers: Vec<u64> =
        scene.lines("archive").iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..EVENTS), "{} events", numbers.len());
}

#[test]
#[ignore = "mounts file systems, for which it needs root and a loop device; ./test.sh runs it as root"]
fn an_archive_whose_disk_is_full_at_the_sync_holds_up_nobody_else_and_goes_on_when_there_is_space() {
    let scene = Scene::new();
    let disk = ThinDisk::mount(&scene.path("below"), &scene.path("archive"));
    let server = scene.start();
    let send = |tag: &str, count: u64| {
        let count = count.to_string();
        let sent = scene.send(server.port("edge")).args([tag, "--count", &count, "--json"]).output().unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    };
    send("nginx.access", 1000);
    server.until_metric("hikyaku_output_checkpoints_total", 1.0);

    disk.below.fill();
    send("nginx.access", EVENTS);
    server.until_unready("the output archive is held up");
    assert_eq!(server.get("health", "/health").0, 200);
    // Events are taken, and delivered by the others.
    send("something.else", 100);
    server.until("the others go on", |_| scene.has_lines("unmatched", 100));
    assert!(server.metric("hikyaku_output_taken_back_total") >= 1.0);

    disk.below.free();
    server.until("the output goes on", |server| server.get("health", "/ready").0 == 200);
    assert!(server.stop().success());
    let mut numbers: Vec<u64> =
        scene.lines("archive").iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    let mut expected: Vec<u64> = (0..1000).chain(0..EVENTS).collect();
    expected.sort_unstable();
    assert!(numbers == expected, "{} events instead of {}", numbers.len(), expected.len());
}

#[test]
#[ignore = "mounts a file system, for which it needs root and a loop device; ./test.sh runs it as root"]
fn a_large_message_waits_on_a_full_disk_small_ones_do_not_and_it_goes_on_when_there_is_space() {
    let scene = large::scene();
    let disk = SmallDisk::mount(&scene.path("disk.img"), &scene.path("data"));
    let server = large::start(&scene);
    disk.fill();
    let (entries, count) = large::entries(8 << 20);
    let message = |chunk: &[u8], entries: &[u8], count: u64| {
        encode_packed(&Packed { tag: b"t", entries, count, chunk: Some(chunk), gzip: false })
    };
    let mut stream = large::connect(&server);
    let mut writing = stream.try_clone().unwrap();
    let bytes = message(b"large", &entries, count);
    let sender = std::thread::spawn(move || writing.write_all(&bytes).unwrap());
    server.until_unready("no space for large messages");
    // The journal's segments have their space.
    let mut other = large::connect(&server);
    other.write_all(&message(b"small", b"\x92\x01\x81\xa6number\xcd\xff\xff", 1)).unwrap();
    assert_eq!(large::ack(&other), b"small");

    disk.free();
    assert_eq!(large::ack(&stream), b"large");
    sender.join().unwrap();
    assert_eq!(server.get("health", "/ready").0, 200);
    assert!(server.metric("hikyaku_input_throttled_seconds_total") > 0.0);
    stream.flush().unwrap();
    drop((stream, other));
    assert!(server.stop().success());
    let events = scene.lines("archive").len() as u64;
    assert_eq!(events, count + 1);
}
