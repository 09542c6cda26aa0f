use std::process::{Command, Output};

use crate::support::{HIKYAKU, Scene, run_with_input};

fn verify(scene: &Scene) -> (Output, serde_json::Value) {
    let output = Command::new(HIKYAKU)
        .args(["journal", "verify", "--json", "-c"])
        .arg(scene.path("hikyaku.toml"))
        .output()
        .unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, answer)
}

/// A data folder that a server left behind when it was killed, with events that no output has saved yet.
fn left_behind() -> Scene {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.arg("nginx.access");
    let line = "{\"customer_name\":\"a\",\"fqdn\":\"b\",\"log_type\":\"nginx\"}\n";
    assert!(run_with_input(command, &line.repeat(3)).status.success());
    drop(server);
    scene
}

#[test]
fn a_sound_folder_is_sound_and_each_output_has_its_backlog() {
    let scene = left_behind();
    let (output, answer) = verify(&scene);
    assert!(output.status.success(), "{answer}");
    assert_eq!(answer["intact"], true);
    let outputs = answer["outputs"].as_array().unwrap();
    assert_eq!(outputs.len(), 4, "three outputs and the dead letters");
    let unmatched = outputs.iter().find(|output| output["output"] == "unmatched").unwrap();
    assert_eq!((&unmatched["events"], &unmatched["chunks"]), (&3.into(), &1.into()));
    assert!(unmatched["bytes_behind"].as_u64().unwrap() > 60);
    assert!(unmatched["oldest_received_at"].as_str().unwrap().starts_with("20"));
}

#[test]
fn it_works_beside_a_server_that_is_writing() {
    let scene = Scene::new();
    let server = scene.start();
    let mut load = scene.send(server.port("edge"));
    load.args(["nginx.access", "--count", "20000", "--connections", "2"]);
    let mut load = load.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut looks = 0;
    while load.try_wait().unwrap().is_none() || looks == 0 {
        let (output, answer) = verify(&scene);
        assert!(output.status.success(), "{answer} {}", String::from_utf8_lossy(&output.stderr));
        looks += 1;
    }
    assert!(server.stop().success());
    let (_, answer) = verify(&scene);
    assert!(answer["outputs"].as_array().unwrap().iter().all(|output| output["events"] == 0), "{answer}");
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let scene = left_behind();
    let folder = scene.path("data");
    let undo = std::fs::read_dir(folder.join("outputs/archive")).unwrap().next();
    let mut places =
        vec![(folder.join("journal/0000000000000001.seg"), 200), (folder.join("cursors/archive.cursor"), 50)];
    places.extend(undo.map(|undo| (undo.unwrap().path(), 8)));
    for (path, place) in places {
        let sound = std::fs::read(&path).unwrap();
        let mut damaged = sound.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let (output, answer) = verify(&scene);
        // What nobody can know to have been synced is a torn tail.
        let torn = answer["segments"][0]["torn_bytes"].as_u64().unwrap_or(0);
        assert!(output.status.code() == Some(1) || torn > 0, "{}: {answer}", path.display());
        std::fs::write(&path, sound).unwrap();
    }
    assert!(verify(&scene).0.status.success());
}

#[test]
fn damage_in_what_outputs_gave_up_is_found_as_well() {
    let scene = Scene::new();
    let text = std::fs::read_to_string(scene.path("hikyaku.toml")).unwrap();
    let up = "[[output]]\nid = \"up\"\ntype = \"forward\"\nmatch = \"**\"\nheartbeat = \"none\"\n\
              servers = [{ address = \"127.0.0.1:1\" }]\nretry_timeout = \"50ms\"\n\
              retry_min_interval = \"10ms\"\nretry_max_interval = \"20ms\"\n\n[health]\n";
    std::fs::write(scene.path("hikyaku.toml"), text.replace("[health]\n", up)).unwrap();
    let server = scene.start();
    for count in 1..=3 {
        let mut command = scene.send(server.port("edge"));
        command.arg("app");
        assert!(run_with_input(command, "{}\n").status.success());
        server.until_metric("hikyaku_output_given_up_records_total", f64::from(count));
    }
    assert_eq!(server.metric("hikyaku_given_up_journal_accepting"), 1.0);
    assert!(server.metric("hikyaku_given_up_journal_bytes") > 0.0);
    drop(server);
    let (output, answer) = verify(&scene);
    assert!(output.status.success(), "{answer}");
    assert_eq!(answer["given_up"]["segments"][0]["chunks"], 3);

    let path = scene.path("data/given-up/journal/0000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let (output, answer) = verify(&scene);
    assert_eq!((output.status.code(), &answer["intact"]), (Some(1), &false.into()), "{answer}");
    assert_eq!(answer["given_up"]["intact"], false);
    let server = scene.start();
    assert!(server.metric("hikyaku_given_up_journal_damaged_bytes_total") > 0.0);
}
