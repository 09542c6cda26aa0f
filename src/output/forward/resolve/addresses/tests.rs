use std::net::Ipv4Addr;

use tokio::net::TcpListener;

use super::super::fake::FakeLookup;
use super::*;
use crate::ports::reserved_address;

const EXPIRY: Duration = Duration::from_secs(60);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 24224))
}

fn addresses(lookup: &Arc<FakeLookup>, expiry: Duration, round_robin: bool) -> Addresses {
    Addresses::new(HostPort::new("logs.example", 24224), lookup.clone(), expiry, round_robin)
}

fn answering(answer: &[SocketAddr]) -> Arc<FakeLookup> {
    let lookup = Arc::new(FakeLookup::default());
    lookup.set_addresses("logs.example", answer);
    lookup
}

#[tokio::test(start_paused = true)]
async fn answers_are_used_until_they_are_old() {
    let lookup = answering(&[address(1)]);
    let addresses = addresses(&lookup, EXPIRY, false);
    assert_eq!(addresses.get().await.unwrap(), [address(1)]);
    lookup.set_addresses("logs.example", &[address(2), address(3)]);
    tokio::time::advance(EXPIRY - Duration::from_millis(1)).await;
    assert_eq!(addresses.get().await.unwrap(), [address(1)]);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(addresses.get().await.unwrap(), [address(2), address(3)]);
    assert_eq!(lookup.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_an_expiry_every_connection_looks_the_name_up() {
    let lookup = answering(&[address(1)]);
    let addresses = addresses(&lookup, Duration::ZERO, false);
    addresses.get().await.unwrap();
    addresses.get().await.unwrap();
    assert_eq!(lookup.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_leaves_what_is_known() {
    let lookup = answering(&[address(1)]);
    let addresses = addresses(&lookup, EXPIRY, false);
    addresses.get().await.unwrap();
    lookup.fail_addresses("logs.example");
    tokio::time::advance(EXPIRY).await;
    assert_eq!(addresses.get().await.unwrap(), [address(1)]);
    lookup.set_addresses("logs.example", &[]);
    assert_eq!(addresses.get().await.unwrap(), [address(1)], "an empty answer is none");
    lookup.set_addresses("logs.example", &[address(2)]);
    assert_eq!(addresses.get().await.unwrap(), [address(2)], "and is not remembered");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_never_had_an_address_is_an_error_that_names_it() {
    let lookup = Arc::new(FakeLookup::default());
    let error = addresses(&lookup, EXPIRY, false).get().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot look up logs.example: no such name");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_may_have_moved_is_looked_up_again() {
    let lookup = answering(&[address(1)]);
    let addresses = addresses(&lookup, EXPIRY, false);
    addresses.get().await.unwrap();
    addresses.expire();
    addresses.get().await.unwrap();
    assert_eq!(lookup.lookups(), 2);
}

#[tokio::test(start_paused = true)]
async fn round_robin_begins_with_each_address_in_turn() {
    let lookup = answering(&[address(1), address(2), address(3)]);
    let in_turn = addresses(&lookup, EXPIRY, true);
    let mut firsts = Vec::new();
    for _ in 0..4 {
        let all = in_turn.get().await.unwrap();
        assert_eq!(all.len(), 3);
        firsts.push(all[0]);
    }
    assert_eq!(firsts, [address(1), address(2), address(3), address(1)]);
    let in_order = addresses(&lookup, EXPIRY, false);
    assert_eq!(in_order.get().await.unwrap()[0], in_order.get().await.unwrap()[0]);
}

#[tokio::test(start_paused = true)]
async fn addresses_are_not_looked_up() {
    let lookup = Arc::new(FakeLookup::default());
    let literal = Addresses::new(HostPort::new("::1", 24224), lookup.clone(), Duration::ZERO, false);
    assert_eq!(literal.get().await.unwrap(), ["[::1]:24224".parse().unwrap()]);
    assert_eq!(lookup.lookups(), 0);
}

#[tokio::test]
async fn every_address_is_tried() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let lookup = answering(&[reserved_address(), listener.local_addr().unwrap()]);
    let stream = addresses(&lookup, EXPIRY, false).connect(Duration::from_secs(5)).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
}

#[tokio::test]
async fn where_none_answers_the_error_names_the_last() {
    let lookup = answering(&[reserved_address()]);
    let error = addresses(&lookup, EXPIRY, false).connect(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(error.to_string().starts_with("127.0.0.1: "), "{error}");
}
