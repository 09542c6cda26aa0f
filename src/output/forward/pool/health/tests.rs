use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn policy(heartbeat_interval: Option<Duration>) -> Policy {
    Policy { heartbeat_interval, phi_threshold: 16.0, hard_timeout: 60 * SECOND, recover_wait: 10 * SECOND }
}

fn with_heartbeats() -> (Health, Instant) {
    let now = Instant::now();
    (Health::new(policy(Some(SECOND)), now), now)
}

fn without_heartbeats() -> (Health, Instant) {
    let now = Instant::now();
    (Health::new(policy(None), now), now)
}

/// Good heartbeats, one a second, until it is up; how many seconds that took.
fn seconds_to_recover(health: &mut Health, now: &mut Instant) -> u64 {
    let start = *now;
    while health.heartbeat(*now).is_none() {
        assert!(!health.is_usable(*now));
        *now += SECOND;
    }
    assert!(health.is_up());
    now.duration_since(start).as_secs()
}

#[test]
fn a_failed_delivery_takes_it_down_once() {
    let (mut health, now) = with_heartbeats();
    assert_eq!(health.failed(now, "reset"), Some(Turn::Down { reason: "reset".to_owned() }));
    assert_eq!(health.failed(now, "reset"), None);
    assert!(!health.is_up() && !health.is_usable(now));
}

#[test]
fn heartbeats_must_be_good_for_recover_wait_without_a_break() {
    let (mut health, mut now) = with_heartbeats();
    health.failed(now, "reset");
    for _ in 0..10 {
        assert_eq!(health.heartbeat(now), None);
        now += SECOND;
    }
    health.heartbeat_failed("refused".to_owned());
    assert_eq!(seconds_to_recover(&mut health, &mut now), 10);
}

#[test]
fn silence_takes_it_down_and_says_why() {
    let (mut health, now) = with_heartbeats();
    health.heartbeat_failed("connection refused".to_owned());
    assert_eq!(health.judge(now + 36 * SECOND), None);
    let reason = "no heartbeat for 37 s (connection refused)".to_owned();
    assert_eq!(health.judge(now + 37 * SECOND), Some(Turn::Down { reason }));
    assert_eq!(health.judge(now + 38 * SECOND), None, "once");
}

#[test]
fn the_hard_timeout_ends_every_patience() {
    let (mut health, mut now) = with_heartbeats();
    for _ in 0..100 {
        now += 5 * SECOND;
        health.heartbeat(now);
    }
    assert_eq!(health.judge(now + 60 * SECOND), None);
    assert!(matches!(health.judge(now + 61 * SECOND), Some(Turn::Down { .. })));
}

#[test]
fn a_server_that_fails_every_delivery_waits_longer_each_time() {
    let (mut health, mut now) = with_heartbeats();
    let mut waits = Vec::new();
    for _ in 0..5 {
        health.failed(now, "handshake refused");
        waits.push(seconds_to_recover(&mut health, &mut now));
    }
    assert_eq!(waits, [10, 20, 40, 60, 60]);
    assert_eq!(health.succeeded(now), None);
    health.failed(now, "reset");
    assert_eq!(seconds_to_recover(&mut health, &mut now), 10);
}

#[test]
fn a_success_of_a_chunk_in_doubt_begins_the_recovery() {
    let (mut health, mut now) = with_heartbeats();
    health.failed(now, "reset");
    assert_eq!(health.succeeded(now), None);
    now += 4 * SECOND;
    assert_eq!(seconds_to_recover(&mut health, &mut now), 6);
}

#[test]
fn as_the_last_resort_one_chunk_tries_it_once_its_heartbeats_are_good() {
    let (mut health, now) = with_heartbeats();
    health.failed(now, "reset");
    assert!(!health.is_last_resort(now));
    health.heartbeat(now);
    assert!(health.is_last_resort(now));
    health.picked(now);
    assert!(!health.is_last_resort(now), "one chunk at a time");
    assert!(health.is_last_resort(now + 10 * SECOND), "that chunk may never be heard of again");
    assert_eq!(health.failed(now, "reset"), None, "it was down all the time");
    assert!(!health.is_last_resort(now), "only heartbeats after the failure count");
    health.heartbeat(now);
    health.picked(now);
    assert_eq!(health.succeeded(now), Some(Turn::Up));
    assert!(!health.is_last_resort(now) && health.is_usable(now));
}

#[test]
fn without_heartbeats_silence_means_nothing() {
    let (mut health, now) = without_heartbeats();
    assert_eq!(health.judge(now + 3_600 * SECOND), None);
}

#[test]
fn without_heartbeats_one_chunk_tries_it_after_recover_wait() {
    let (mut health, now) = without_heartbeats();
    assert!(health.failed(now, "refused").is_some());
    assert!(!health.is_usable(now + 9 * SECOND));
    assert_eq!(health.next_change(), Some(now + 10 * SECOND));
    let now = now + 10 * SECOND;
    assert!(health.is_usable(now) && !health.is_up());
    health.picked(now);
    assert!(!health.is_usable(now), "one chunk at a time");
    assert!(health.is_usable(now + 10 * SECOND), "that chunk may never be heard of again");
    assert_eq!(health.failed(now, "refused"), None, "it was down all the time");
    assert_eq!(health.succeeded(now), Some(Turn::Up));
    assert!(health.is_up() && health.is_usable(now));
}
