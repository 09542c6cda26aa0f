use std::net::Ipv4Addr;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;

/// A name server on loopback that knows the SRV records of one name.
async fn name_server(known: &'static str, records: &'static [(u16, u16, u16, &'static str)]) -> SystemLookup {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let response = answer(&query, known, records);
            socket.send_to(&response.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    let mut connection = ConnectionConfig::udp();
    connection.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    SystemLookup::with_name_servers(ResolverConfig::from_name_servers(vec![server]))
}

fn answer(query: &Message, known: &str, records: &[(u16, u16, u16, &str)]) -> Message {
    let mut response = Message::response(query.metadata.id, OpCode::Query);
    let question = query.queries[0].clone();
    let name = question.name().clone();
    let is_known = question.query_type() == RecordType::SRV && name == Name::from_ascii(known).unwrap();
    response.add_query(question);
    if !is_known {
        response.metadata.response_code = ResponseCode::NXDomain;
    }
    for (priority, weight, port, target) in records.iter().filter(|_| is_known) {
        let srv = SRV::new(*priority, *weight, *port, Name::from_ascii(target).unwrap());
        response.add_answer(Record::from_rdata(name.clone(), 1, RData::SRV(srv)));
    }
    response
}

#[tokio::test]
async fn srv_records_come_from_the_name_server() {
    const RECORDS: &[(u16, u16, u16, &str)] =
        &[(10, 60, 24224, "a.logs.example."), (20, 0, 24225, "B.logs.example.")];
    let lookup = name_server("_fluentd._tcp.logs.example.", RECORDS).await;
    let mut records = lookup.services("_fluentd._tcp.logs.example").await.unwrap();
    records.sort_by_key(|record| record.priority);
    let [first, second] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        *first,
        ServiceRecord { priority: 10, weight: 60, host: "a.logs.example".to_owned(), port: 24224 }
    );
    assert_eq!((second.priority, second.weight, second.port), (20, 0, 24225));
    assert!(second.host.eq_ignore_ascii_case("b.logs.example"), "{second:?}");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_an_error_and_no_empty_answer() {
    let lookup = name_server("_fluentd._tcp.logs.example.", &[]).await;
    let error = lookup.services("_other._tcp.logs.example").await.unwrap_err();
    assert!(error.to_string().contains("_other._tcp.logs.example"), "{error}");
}

#[tokio::test]
async fn the_operating_system_knows_localhost() {
    let addresses = SystemLookup::default().addresses(&HostPort::new("localhost", 24224)).await.unwrap();
    assert!(addresses.iter().any(|address| address.ip().is_loopback() && address.port() == 24224));
}
