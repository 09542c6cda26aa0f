//! Space on the disk for large messages, and waiting for it.
//!
//! A sender whose message finds none waits as if the journal had none: nothing more is read from it, and it goes on by
//! itself. What of the message is in its file already takes space as well; so that several that wait can't keep it from
//! each other for ever, one that has waited for `stall_timeout` is cut off and sends its message again.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::large::{LargeError, blocking};
use crate::journal::large::{SpaceWait, SpoolFolder};
use crate::metrics::InputMetrics;
use crate::storage::is_for_want_of_space;

/// How often it is tried again.
const POLL: Duration = Duration::from_millis(500);

/// The disk for large messages, as a connection sees it.
#[derive(Debug, Clone)]
pub(super) struct Space {
    folder: SpoolFolder,
    patience: Duration,
    metrics: InputMetrics,
    shutdown: CancellationToken,
}

/// Somebody waits, and since when.
struct Waiting<'a> {
    _counted: SpaceWait,
    since: Instant,
    metrics: &'a InputMetrics,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.throttled("disk_space", self.since.elapsed());
    }
}

impl Space {
    /// `patience`: how long a sender waits before it is cut off.
    pub(super) fn new(
        folder: SpoolFolder,
        patience: Duration,
        metrics: InputMetrics,
        shutdown: CancellationToken,
    ) -> Self {
        Self { folder, patience, metrics, shutdown }
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &SpoolFolder {
        &self.folder
    }

    /// Does something that writes, again and again while there is no space for it. What fails for want of space must
    /// have changed nothing that matters when it is done again.
    pub(super) async fn write<S: Send + 'static, T: Send + 'static>(
        &self,
        mut state: S,
        mut write: impl FnMut(&mut S) -> Result<T, LargeError> + Send + 'static,
    ) -> Result<(S, T), LargeError> {
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let written;
            (state, write, written) = blocking(move || {
                let written = write(&mut state);
                Ok((state, write, written))
            })
            .await?;
            let error = match written {
                Err(LargeError::Disk(error)) if is_for_want_of_space(&error) => error,
                written => return written.map(|written| (state, written)),
            };
            if self.folder.refuses() {
                return Err(LargeError::NoSpace);
            }
            let begin = || Waiting {
                _counted: self.folder.wait_for_space(),
                since: Instant::now(),
                metrics: &self.metrics,
            };
            let since = waiting.get_or_insert_with(begin).since;
            if since.elapsed() >= self.patience {
                return Err(error.into());
            }
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Err(LargeError::Stopped),
                () = sleep(POLL.min(self.patience)) => {}
            }
        }
    }
}

#[cfg(test)]
impl Space {
    /// Below a data folder, for those who wait half a minute.
    pub(super) fn of(data_dir: &std::path::Path, shutdown: &CancellationToken) -> Self {
        let metrics = crate::metrics::Metrics::new("test", 10).input("edge");
        Self::new(SpoolFolder::new(data_dir), Duration::from_secs(30), metrics, shutdown.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn no_space() -> LargeError {
        LargeError::Disk(io::ErrorKind::StorageFull.into())
    }

    fn space(folder: &tempfile::TempDir) -> Space {
        Space::of(folder.path(), &CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_space_waits_counted_until_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let space = space(&folder);
        let counts = space.folder().clone();
        let write = move |tries: &mut usize| {
            *tries += 1;
            // From the second time on somebody waits.
            assert_eq!(counts.waiting(), usize::from(*tries > 1));
            if *tries < 5 { Err(no_space()) } else { Ok("written") }
        };
        assert_eq!(space.write(0, write).await.unwrap(), (5, "written"));
        assert_eq!(space.folder().waiting(), 0);
    }

    #[tokio::test]
    async fn whoever_waited_for_as_long_as_allowed_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let space = Space { patience: Duration::from_millis(20), ..space(&folder) };
        let started = Instant::now();
        let written = space.write((), |()| Err::<(), _>(no_space())).await;
        assert!(matches!(written, Err(LargeError::Disk(_))), "{written:?}");
        assert!(started.elapsed() >= space.patience);
        assert_eq!(space.folder().waiting(), 0);
    }

    #[tokio::test]
    async fn where_senders_are_refused_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let space = space(&folder);
        let space = Space { folder: space.folder.clone().refusing(true), ..space };
        let written = space.write((), |()| Err::<(), _>(no_space())).await;
        assert!(matches!(written, Err(LargeError::NoSpace)), "{written:?}");
    }

    #[tokio::test]
    async fn a_stop_ends_the_waiting_and_other_errors_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let space = Space::of(folder.path(), &shutdown);
        let broken = space.write((), |()| Err::<(), _>(LargeError::Disk(io::Error::other("broken")))).await;
        assert!(matches!(broken, Err(LargeError::Disk(_))), "{broken:?}");
        shutdown.cancel();
        let written = space.write((), |()| Err::<(), _>(no_space())).await;
        assert!(matches!(written, Err(LargeError::Stopped)), "{written:?}");
    }
}
