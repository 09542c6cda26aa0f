use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn policy(heartbeat_interval: Option<Duration>) -> Policy {
    Policy { heartbeat_interval, phi_threshold: 16.0, hard_timeout: 60 * SECOND, recover_wait: 10 * SECOND }
}

fn server(name: &str, weight: u32, standby: bool) -> ForwardServerConfig {
    ForwardServerConfig {
        address: HostPort::new(name, 24224),
        name: name.to_owned(),
        weight,
        standby,
        server_name: None,
        shared_key: None,
        user: None,
    }
}

fn regular(name: &str) -> ForwardServerConfig {
    server(name, 60, false)
}

fn standby(name: &str) -> ForwardServerConfig {
    server(name, 60, true)
}

/// Servers on a clock that is moved by hand.
struct World {
    servers: Servers<()>,
    now: Instant,
}

impl World {
    fn new(heartbeat_interval: Option<Duration>, configs: &[ForwardServerConfig]) -> Self {
        let now = Instant::now();
        let mut servers = Servers::new(policy(heartbeat_interval), now);
        configs.iter().for_each(|config| servers.add(config.clone(), (), now));
        Self { servers, now }
    }

    fn id(&self, name: &str) -> ServerId {
        self.servers.iter().find(|server| server.config.name == name).unwrap().id
    }

    /// How often each gets a chunk.
    fn picks(&mut self, count: u32) -> BTreeMap<String, u32> {
        let mut picks = BTreeMap::new();
        for _ in 0..count {
            if let Some(server) = self.servers.pick(self.now) {
                *picks.entry(server.config.name.clone()).or_insert(0) += 1;
            }
        }
        picks
    }

    fn fail(&mut self, name: &str) -> Vec<Change> {
        self.servers.failed(self.id(name), "reset", self.now)
    }

    /// Good heartbeats of these servers, every second; the others are silent.
    fn heartbeats(&mut self, names: &[&str], seconds: u32) -> Vec<Change> {
        let mut changes = Vec::new();
        for _ in 0..seconds {
            self.now += SECOND;
            for name in names {
                changes.extend(self.servers.heartbeat(self.id(name), self.now));
            }
            changes.extend(self.servers.judge(self.now));
        }
        changes
    }

    fn discover(&mut self, found: &[ForwardServerConfig]) -> Vec<Change> {
        self.servers.discover(found.to_vec(), |_| (), self.now)
    }
}

fn counts(expected: &[(&str, u32)]) -> BTreeMap<String, u32> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn down(world: &World, name: &str, reason: &str, alone: bool) -> Change {
    Change::Down { id: world.id(name), name: name.to_owned(), reason: reason.to_owned(), alone }
}

#[test]
fn chunks_follow_the_weights() {
    let mut world = World::new(
        Some(SECOND),
        &[server("a", 60, false), server("b", 30, false), server("none", 0, false), standby("c")],
    );
    assert_eq!(world.picks(9), counts(&[("a", 6), ("b", 3)]));
}

#[test]
fn the_share_of_a_server_that_is_down_goes_to_the_others_and_returns() {
    let mut world = World::new(Some(SECOND), &[regular("a"), regular("b"), regular("c")]);
    assert_eq!(world.fail("a"), [down(&world, "a", "reset", false)]);
    assert_eq!(world.picks(4), counts(&[("b", 2), ("c", 2)]));
    assert_eq!(world.heartbeats(&["a", "b", "c"], 10), []);
    assert_eq!(world.picks(2), counts(&[("b", 1), ("c", 1)]));
    let back = Change::Back { id: world.id("a"), name: "a".to_owned() };
    assert_eq!(world.heartbeats(&["a", "b", "c"], 1), [back]);
    assert_eq!(world.picks(3), counts(&[("a", 1), ("b", 1), ("c", 1)]));
}

#[test]
fn the_last_server_that_goes_is_known_to_be_the_last() {
    let mut world = World::new(Some(SECOND), &[regular("a"), regular("b")]);
    assert_eq!(world.fail("a"), [down(&world, "a", "reset", false)]);
    assert_eq!(world.fail("b"), [down(&world, "b", "reset", true)]);
    assert_eq!(world.picks(1), counts(&[]));
}

#[test]
fn a_standby_steps_in_for_each_server_that_is_down() {
    let mut world = World::new(Some(SECOND), &[regular("a"), regular("b"), standby("x"), standby("y")]);
    let used = |name: &str| Change::StandbyUsed { name: name.to_owned() };
    assert_eq!(world.picks(2), counts(&[("a", 1), ("b", 1)]));
    assert_eq!(world.fail("a"), [down(&world, "a", "reset", false), used("x")]);
    assert_eq!(world.picks(2), counts(&[("b", 1), ("x", 1)]));
    assert_eq!(world.fail("x"), [down(&world, "x", "reset", false), used("y")]);
    assert_eq!(world.picks(2), counts(&[("b", 1), ("y", 1)]));
    let changes = world.heartbeats(&["a", "b", "y"], 11);
    assert!(changes.contains(&Change::StandbyReleased { name: "y".to_owned() }), "{changes:?}");
    assert_eq!(world.picks(2), counts(&[("a", 1), ("b", 1)]));
}

#[test]
fn light_standbys_step_in_together_for_a_heavy_server() {
    let mut world = World::new(
        Some(SECOND),
        &[server("a", 60, false), server("x", 30, true), server("y", 30, true), server("z", 30, true)],
    );
    world.fail("a");
    assert_eq!(world.picks(4), counts(&[("x", 2), ("y", 2)]));
}

#[test]
fn silent_servers_go_down_and_the_others_stay() {
    let mut world = World::new(Some(SECOND), &[regular("a"), regular("b")]);
    let changes = world.heartbeats(&["b"], 40);
    assert_eq!(changes, [down(&world, "a", "no heartbeat for 37 s", false)]);
    assert_eq!(world.picks(2), counts(&[("b", 2)]));
}

#[test]
fn a_process_that_was_stopped_does_not_blame_the_servers() {
    let mut world = World::new(Some(SECOND), &[regular("a")]);
    world.heartbeats(&["a"], 10);
    world.now += 600 * SECOND;
    assert_eq!(world.servers.judge(world.now), []);
    assert_eq!(world.heartbeats(&["a"], 60), []);
}

#[test]
fn without_heartbeats_a_server_on_trial_gets_one_chunk_and_its_standby_stays() {
    let mut world = World::new(None, &[regular("a"), standby("x")]);
    world.fail("a");
    assert_eq!(world.picks(3), counts(&[("x", 3)]));
    let over = world.now + 10 * SECOND;
    assert_eq!(world.servers.next_change(), Some(over));
    world.now = over;
    assert_eq!(world.servers.next_change(), Some(over), "until somebody has looked");
    assert_eq!(world.servers.judge(world.now), []);
    assert_eq!(world.servers.next_change(), None);
    assert_eq!(world.picks(4), counts(&[("a", 1), ("x", 3)]));
    assert_eq!(world.fail("a"), [], "no second announcement");
    world.now += 10 * SECOND;
    world.servers.judge(world.now);
    assert_eq!(world.picks(2), counts(&[("a", 1), ("x", 1)]));
    let a = world.id("a");
    assert_eq!(
        world.servers.succeeded(a, world.now),
        [Change::Back { id: a, name: "a".to_owned() }, Change::StandbyReleased { name: "x".to_owned() }]
    );
    assert_eq!(world.picks(2), counts(&[("a", 2)]));
}

#[test]
fn where_all_are_down_the_first_good_heartbeat_is_enough_for_a_trial() {
    let mut world = World::new(Some(SECOND), &[regular("a"), standby("x")]);
    world.fail("a");
    world.fail("x");
    assert!(!world.servers.has_turn());
    assert_eq!(world.heartbeats(&["a"], 1), []);
    assert!(world.servers.has_turn());
    assert_eq!(world.picks(3), counts(&[("a", 1)]));
    assert_eq!(world.fail("a"), []);
    assert_eq!(world.heartbeats(&["a"], 1), []);
    assert_eq!(world.picks(3), counts(&[("a", 1)]));
    let a = world.id("a");
    let back = Change::Back { id: a, name: "a".to_owned() };
    assert_eq!(world.servers.succeeded(a, world.now), [back]);
    assert_eq!(world.picks(3), counts(&[("a", 3)]));
}

#[test]
fn discovered_servers_come_and_go_and_keep_their_health() {
    let mut world = World::new(Some(SECOND), &[regular("fixed")]);
    let added = |name: &str| Change::Added { name: name.to_owned() };
    assert_eq!(world.discover(&[regular("a"), regular("b")]), [added("a"), added("b")]);
    assert_eq!(world.picks(3), counts(&[("fixed", 1), ("a", 1), ("b", 1)]));
    world.fail("a");
    let (a, b) = (world.id("a"), world.id("b"));
    let removed = Change::Removed { name: "b".to_owned() };
    assert_eq!(world.discover(&[server("a", 120, false), regular("c")]), [removed, added("c")]);
    assert_eq!(world.id("a"), a);
    assert!(world.servers.get(b).is_none());
    assert_eq!(world.picks(2), counts(&[("fixed", 1), ("c", 1)]), "a is still down");
    assert_eq!(world.servers.failed(b, "late news", world.now), []);
    world.heartbeats(&["a", "fixed", "c"], 11);
    assert_eq!(world.picks(4), counts(&[("fixed", 1), ("a", 2), ("c", 1)]), "with its new weight");
    world.discover(&[regular("b"), regular("fixed")]);
    assert_ne!(world.id("b"), b, "one that left and came back is another");
    assert_eq!(world.servers.iter().count(), 2, "what the configuration names is not there twice");
}

#[test]
fn standbys_that_the_dns_brings_step_in_by_priority() {
    let mut world = World::new(Some(SECOND), &[]);
    world.discover(&[regular("a"), standby("later")]);
    world.discover(&[regular("a"), standby("sooner"), standby("later")]);
    world.fail("a");
    assert_eq!(world.picks(2), counts(&[("sooner", 2)]));
}

#[test]
fn standby_servers_are_used_until_the_dns_has_named_others() {
    let mut world = World::new(Some(SECOND), &[standby("x")]);
    assert_eq!(world.picks(1), counts(&[("x", 1)]));
    world.discover(&[regular("a")]);
    assert_eq!(world.picks(1), counts(&[("a", 1)]));
}

/// What may happen, by the number of a server.
#[derive(Debug, Clone)]
enum Event {
    Fail(usize),
    Succeed(usize),
    Heartbeats(Vec<bool>),
    Discover(Vec<u32>),
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_usize..6).prop_map(Event::Fail),
        (0_usize..6).prop_map(Event::Succeed),
        proptest::collection::vec(any::<bool>(), 6).prop_map(Event::Heartbeats),
        proptest::collection::vec(0_u32..4, 0..4).prop_map(Event::Discover),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_only_usable_servers_with_weight_are_picked_by_their_weights(
        heartbeats in any::<bool>(),
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        let configs = [server("a", 3, false), server("b", 1, false), server("x", 2, true)];
        let mut world = World::new(heartbeats.then_some(SECOND), &configs);
        for event in events {
            world.now += SECOND;
            let now = world.now;
            let ids: Vec<ServerId> = world.servers.iter().map(|server| server.id).collect();
            match event {
                Event::Fail(index) => {
                    ids.get(index).map(|id| world.servers.failed(*id, "reset", now));
                }
                Event::Succeed(index) => {
                    ids.get(index).map(|id| world.servers.succeeded(*id, now));
                }
                Event::Heartbeats(good) => {
                    for (id, good) in ids.iter().zip(good) {
                        match good {
                            true => world.servers.heartbeat(*id, now),
                            false => world.servers.heartbeat_failed(*id, "refused".to_owned(), now),
                        };
                    }
                }
                Event::Discover(weights) => {
                    let found = weights.iter().enumerate();
                    let found: Vec<_> =
                        found.map(|(index, weight)| server(&format!("d{index}"), *weight, false)).collect();
                    world.discover(&found);
                }
            }
            world.servers.judge(now);
            let members: Vec<(String, u32, bool)> = (world.servers.iter())
                .filter(|server| server.in_use && server.config.weight > 0)
                .map(|server| (server.config.name.clone(), server.config.weight, server.is_up()))
                .collect();
            for server in world.servers.iter().filter(|server| server.in_use) {
                prop_assert!(server.health.is_usable(now), "{} is down and in use", server.config.name);
            }
            if members.is_empty() {
                for name in world.picks(10).keys() {
                    let id = world.id(name);
                    let server = world.servers.get(id).unwrap();
                    prop_assert!(!server.is_up() && server.config.weight > 0);
                    prop_assert!(!server.health.is_last_resort(now) && !server.health.is_usable(now), "a second chunk");
                }
                continue;
            }
            let round: u32 = members.iter().map(|(_, weight, _)| weight).sum();
            let all_up = members.iter().all(|(_, _, up)| *up);
            let before = world.picks(2 * round);
            for name in before.keys() {
                prop_assert!(members.iter().any(|(member, ..)| member == name), "{} was picked", name);
            }
            if all_up {
                for (name, weight, _) in &members {
                    prop_assert_eq!(before.get(name), Some(&(2 * weight)), "{} in {:?}", name, before);
                }
            }
        }
    }
}
