use crate::support::{Scene, run_with_input};

fn send(scene: &Scene, port: u16, tag: &str, lines: &str) {
    let mut command = scene.send(port);
    command.arg(tag);
    let output = run_with_input(command, lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn events_lie_by_customer_log_type_host_and_hour_once_the_server_has_stopped() {
    let scene = Scene::new();
    let server = scene.start();
    let port = server.port("edge");
    send(
        &scene,
        port,
        "nginx.access",
        r#"{"customer_name":"acme","fqdn":"www.example.com","log_type":"nginx","n":1}
{"customer_name":"../../etc","fqdn":"www.example.com","log_type":"nginx","n":2}
"#,
    );
    send(&scene, port, "nginx.error", "{\"fqdn\":\"www.example.com\",\"log_type\":\"nginx\",\"n\":3}\n");
    send(&scene, port, "app.log", "{\"n\":4}\n");
    assert!(server.stop().success());

    let archive = scene.lines("archive");
    assert_eq!(archive.iter().map(|event| event["n"].as_u64().unwrap()).sum::<u64>(), 1 + 2);
    assert!(archive.iter().all(|event| event["logserver_hostname"] == "logserver-1"));
    assert_eq!(scene.lines("archive/acme/nginx/www.example.com").len(), 1);
    assert!(!scene.path("etc").exists());
    let [invalid] = &scene.lines("invalid")[..] else { panic!() };
    assert_eq!((&invalid["n"], &invalid["customer_name"]), (&3.into(), &"unknown".into()));
    let [unmatched] = &scene.lines("unmatched")[..] else { panic!() };
    assert_eq!(unmatched["n"], 4);
}

#[test]
fn events_are_in_their_files_while_the_server_runs() {
    let scene = Scene::new();
    let server = scene.start();
    let event = "{\"customer_name\":\"acme\",\"fqdn\":\"www.example.com\",\"log_type\":\"nginx\"}\n";
    send(&scene, server.port("edge"), "nginx.access", event);
    server.until_metric("fluentd_output_status_num_records_total", 1.0);
    assert_eq!(scene.lines("archive").len(), 1);
    send(&scene, server.port("edge"), "nginx.access", event);
    server.until_metric("fluentd_output_status_num_records_total", 2.0);
    assert_eq!(scene.lines("archive").len(), 2);
}

#[test]
fn lines_that_are_no_json_are_named_and_the_others_are_sent() {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.arg("app.log");
    let output = run_with_input(command, "{\"n\":1}\nhello\n{\"n\":2}\n");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"));
    assert!(server.stop().success());
    assert_eq!(scene.lines("unmatched").len(), 2);
}
