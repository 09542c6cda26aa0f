//! A Unix socket and its file.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{UnixListener, UnixStream};

use super::socket::BACKLOG;

/// Listens; removes its file when dropped.
#[derive(Debug)]
pub(super) struct UnixSocket {
    listener: UnixListener,
    _file: SocketFile,
}

impl UnixSocket {
    /// Binds the path, for whom `mode` lets write. A file that a dead server left behind is replaced.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::AddrInUse`] where somebody listens there, or where the file is no socket.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        let address = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        match socket.bind(&address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path)? => {
                fs::remove_file(path)?;
                socket.bind(&address)?;
            }
            bound => bound?,
        }
        let file = SocketFile::new(path)?;
        // Before it listens: until then nobody can connect, whatever the umask let.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        socket.listen(BACKLOG)?;
        Ok(Self { listener: UnixListener::from_std(socket.into())?, _file: file })
    }

    /// The next connection and the user of its other end. Safe to cancel.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        let (stream, _) = self.listener.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, uid))
    }
}

/// Whether the file is a socket that nobody listens on.
fn is_stale(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Where too many wait to be accepted, this is the error that says so and not a wait.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) => Ok(error.kind() == io::ErrorKind::ConnectionRefused),
        Ok(()) => Ok(false),
    }
}

/// The file of a socket, as long as it is this very one.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(
                path = %self.path.display(), %error,
                "cannot remove the file of a Unix socket; the next start replaces it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_live_socket_is_left_alone_and_a_dead_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forward.sock");
        let live = UnixSocket::bind(&path, 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(UnixSocket::bind(&path, 0o666).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(mode(&path), 0o600, "nothing was touched");
        drop(live);
        assert!(!path.exists());
        // What a killed server leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let replaced = UnixSocket::bind(&path, 0o666).unwrap();
        assert_eq!(mode(&path), 0o666);
        drop(replaced);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "precious").unwrap();
        assert_eq!(UnixSocket::bind(&path, 0o600).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn the_socket_of_a_successor_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forward.sock");
        let first = UnixSocket::bind(&path, 0o600).unwrap();
        fs::rename(&path, folder.path().join("moved")).unwrap();
        let _second = UnixSocket::bind(&path, 0o600).unwrap();
        drop(first);
        assert!(path.exists());
    }
}
