//! A throttle in front of a file output that is killed.

use std::collections::HashMap;

use crate::support::Scene;

const KILLS: usize = 6;
const EVENTS_FOR_A_KILL: usize = 40;
const LIMIT: usize = 150;

#[test]
fn killed_again_and_again_no_more_and_no_less_than_the_limit_is_in_the_archive() {
    let scene = Scene::new();
    let path = scene.path("hikyaku.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let throttle = format!("\n[[filter]]\ntype = \"throttle\"\nlimit = {LIMIT}\ninterval = \"1d\"\n");
    std::fs::write(&path, config + &throttle).unwrap();

    for _ in 0..KILLS {
        let mut server = scene.start();
        let sent = scene
            .send(server.port("edge"))
            .args(["nginx.access", "--customers", "1", "--chunk-events", "7", "--timeout", "60"])
            .args(["--count", &EVENTS_FOR_A_KILL.to_string()])
            .output()
            .unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    assert!(scene.start().stop().success());

    // A window ends at midnight, and the test may run over it.
    let mut by_day: HashMap<String, usize> = HashMap::new();
    for event in scene.lines("archive") {
        *by_day.entry(event["received_at"].as_str().unwrap()[..10].to_owned()).or_default() += 1;
    }
    assert!(by_day.values().all(|count| *count <= LIMIT), "{by_day:?}");
    if by_day.len() == 1 {
        assert_eq!(by_day.values().sum::<usize>(), LIMIT, "of {}", KILLS * EVENTS_FOR_A_KILL);
    }
}
