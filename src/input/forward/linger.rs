//! Closing a connection so that the peer gets what was written last.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How long the peer has to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// Says goodbye (TLS close_notify, then FIN) and reads on until the peer does so too. Closing a socket that has unread
/// bytes would reset the connection, and a reset can overtake acknowledgements and alerts that the peer has not read
/// yet. Errors mean that the peer has gone, which is what is wanted here.
pub(super) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let goodbye = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = timeout(LINGER, goodbye).await {
        tracing::trace!(%error, "the peer was gone before the connection was closed");
    }
}
