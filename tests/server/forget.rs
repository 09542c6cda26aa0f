use std::fs;
use std::process::Command;

use crate::support::{HIKYAKU, Scene, Server, metrics_alone, run_with_input};

/// Two outputs without a server, which give up everything at once; `away` where it is asked for.
fn start(scene: &Scene, with_away: bool) -> Server {
    let root = scene.directory.path().display();
    let output = |id: &str| {
        format!(
            "[[output]]\nid = \"{id}\"\ntype = \"forward\"\nmatch = \"**\"\nstart = \"oldest\"\nheartbeat = \"none\"\n\
             servers = [{{ address = \"127.0.0.1:1\" }}]\nretry_timeout = \"50ms\"\nretry_min_interval = \"10ms\"\n\
             retry_max_interval = \"20ms\"\n"
        )
    };
    let config = format!(
        "[server]\ndata_dir = \"{root}/data\"\n[log]\nformat = \"json\"\n[[input]]\nid = \"edge\"\ntype = \"forward\"\n\
         listen = \"127.0.0.1:0\"\n{}{}{}",
        output("up"),
        if with_away { output("away") } else { String::new() },
        metrics_alone(0)
    );
    Server::run(&scene.path("hikyaku.toml"), &config, 2)
}

fn forget(scene: &Scene, id: &str) -> std::process::Output {
    let mut command = Command::new(HIKYAKU);
    command.args(["journal", "forget", id, "--data-dir"]).arg(scene.path("data"));
    command.output().unwrap()
}

#[test]
fn an_output_that_is_forgotten_leaves_nothing_that_holds_a_journal() {
    let scene = Scene::new();
    let server = start(&scene, true);
    let mut command = Command::new(HIKYAKU);
    command.arg("send").arg("--server").arg(format!("127.0.0.1:{}", server.port("edge")));
    command.args(["app", "--plain"]);
    let sent = run_with_input(command, "{\"n\":1}\n");
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    server.until_metric("hikyaku_output_given_up_records_total", 2.0);
    let refused = forget(&scene, "away");
    assert!(!refused.status.success(), "a server runs");
    assert!(server.stop().success());

    let cursors = ["cursors/away.cursor", "given-up/cursors/@from-away.cursor"];
    let cursors = cursors.map(|name| scene.path("data").join(name));
    assert!(cursors.iter().all(|path| path.exists()));
    let forgotten = forget(&scene, "away");
    assert!(forgotten.status.success(), "{}", String::from_utf8_lossy(&forgotten.stderr));
    assert!(cursors.iter().all(|path| !path.exists()));
    assert!(scene.path("data/given-up/cursors/@from-up.cursor").exists());

    // A version that did not know of it left the hold: the start of the server removes it.
    fs::copy(scene.path("data/given-up/cursors/@from-up.cursor"), &cursors[1]).unwrap();
    let server = start(&scene, false);
    assert!(!cursors[1].exists());
    assert!(server.stop().success());
}
