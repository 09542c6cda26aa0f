//! Ports of the loopback at which nobody listens, and which stay this process's own.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// An address that refuses connections until something of this test listens there, and again once it is gone.
///
/// Its port is bound, so the system gives it to nobody else, up to the end of this process: a port that a listener has left
/// may be another test's by the next line. It does not listen, so whoever binds with `SO_REUSEADDR`, as servers do, can.
pub(crate) fn reserved_address() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    std::mem::forget(socket);
    address
}
