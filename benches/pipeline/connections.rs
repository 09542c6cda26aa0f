//! Many connections, and what each of them costs.

use std::sync::Arc;
use std::time::Instant;

use hikyaku::client::connection::{Endpoint, EndpointTls, Stream};
use hikyaku::tls::client::{ClientIdentity, client_config};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::process::Server;
use crate::scene::Scene;

/// Handshakes under way at one time.
const AT_ONCE: usize = 64;

/// The memory of connections that send nothing.
pub(crate) fn idle(scene: &Scene<'_>) -> Value {
    let server = server(scene);
    let runtime = Runtime::new().unwrap();
    let wanted = scene.arguments.idle;
    // What a first connection makes for all of them is no part of what one costs.
    let first = connect(&runtime, scene, &server, 1);
    let before = server.memory("VmRSS");
    let connections = connect(&runtime, scene, &server, wanted);
    server.until_metric("hikyaku_input_connections", (wanted + 1) as f64);
    let after = server.memory("VmRSS");
    drop((first, connections));
    json!({
        "connections": wanted,
        "memory_MiB": after,
        "KiB_a_connection": (after - before) * 1024.0 / wanted as f64,
    })
}

/// The processor time of full handshakes.
pub(crate) fn handshakes(scene: &Scene<'_>) -> Value {
    let server = server(scene);
    let runtime = Runtime::new().unwrap();
    let wanted = scene.arguments.handshakes;
    let before = server.processor_seconds();
    let started = Instant::now();
    for _ in 0..wanted.div_ceil(AT_ONCE) {
        connect(&runtime, scene, &server, AT_ONCE);
    }
    let seconds = started.elapsed().as_secs_f64();
    let handshakes = wanted.next_multiple_of(AT_ONCE) as f64;
    let processor = server.processor_seconds() - before;
    json!({
        "handshakes": handshakes,
        "handshakes_a_second_with_the_client_beside": handshakes / seconds,
        "handshakes_a_processor_second": handshakes / processor,
    })
}

fn server(scene: &Scene<'_>) -> Server {
    let root = scene.path("").display().to_string();
    scene.server(&format!(
        "[[output]]\nid = \"archive\"\nmatch = \"**\"\ntype = \"file\"\npath = \"{root}archive/all.log\"\n"
    ))
}

/// Connections with a full handshake each.
fn connect(runtime: &Runtime, scene: &Scene<'_>, server: &Server, count: usize) -> Vec<Stream> {
    let [ca, cert, key] = ["ca.crt", "client.crt", "client.key"].map(|file| scene.path("certs").join(file));
    let config = client_config(&ca, Some(ClientIdentity { cert: &cert, key: &key })).unwrap();
    let mut config = Arc::unwrap_or_clone(config);
    config.resumption = rustls::client::Resumption::disabled();
    let endpoint = Endpoint {
        address: format!("127.0.0.1:{}", server.port),
        tls: Some(EndpointTls { config: Arc::new(config), server_name: "localhost".try_into().unwrap() }),
        handshake: None,
    };
    runtime.block_on(async {
        let mut streams = Vec::with_capacity(count);
        while streams.len() < count {
            let next = (count - streams.len()).min(AT_ONCE);
            let connecting: Vec<_> = (0..next)
                .map(|_| {
                    let endpoint = endpoint.clone();
                    tokio::spawn(async move { endpoint.connect().await })
                })
                .collect();
            for stream in connecting {
                streams.push(stream.await.unwrap().unwrap());
            }
        }
        streams
    })
}
