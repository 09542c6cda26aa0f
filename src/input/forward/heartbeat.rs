//! Answers to the heartbeats that Fluentd's senders write over UDP (`heartbeat_type udp`).

use tokio::net::UdpSocket;

use super::backoff::Backoff;

/// Bytes of the largest datagram that is answered. Fluentd's heartbeats have one; what is larger is something else.
pub(super) const MAX_HEARTBEAT: usize = 128;

/// What every heartbeat is answered with. One byte for each datagram: nobody's traffic gets larger by it.
const ANSWER: &[u8] = &[0];

/// Answers until it is dropped.
pub(super) async fn answer(socket: &UdpSocket, input: &str) {
    // One byte more, to tell what is larger.
    let mut datagram = [0; MAX_HEARTBEAT + 1];
    let mut backoff = Backoff::default();
    loop {
        match socket.recv_from(&mut datagram).await {
            Ok((length, peer)) if length <= MAX_HEARTBEAT => {
                backoff = Backoff::default();
                // A heartbeat that gets no answer is one that was lost on the way, which senders are made for.
                if let Err(error) = socket.send_to(ANSWER, peer).await {
                    tracing::trace!(input, %peer, %error, "a heartbeat was not answered");
                }
            }
            Ok((_, peer)) => tracing::trace!(input, %peer, "a datagram that is no heartbeat"),
            Err(error) => {
                tracing::debug!(input, %error, "cannot read heartbeats, trying again");
                backoff.wait().await;
            }
        }
    }
}
