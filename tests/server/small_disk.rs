//! A disk of 64 MiB that fills up and is freed.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    server.until("the disk is full", |server| {
        let (status, body) = server.get("health", "/ready");
        status == 503 && body.contains("disk")
    });
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
