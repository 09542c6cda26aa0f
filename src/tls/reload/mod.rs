//! TLS files that are taken up again when they change, without a restart and without touching open connections.
//!
//! ```text
//! look ──▶ read all files ──▶ as they are in use? ─────────────────────────────▶ nothing to do
//!                                  │ changed
//!                                  ▼
//!                  the same in two looks, or asked for? ── no ──▶ look again soon
//!                                  │ yes
//!                                  ▼
//!                                load ── wrong ──▶ what is in use stays, told once
//!                                  │ fits
//!                                  ▼
//!                     the next connection gets the new one
//! ```

mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::aging::Expiry;
use super::contents::{Contents, Fingerprint};
use super::pem::TlsError;

/// Files from which a TLS configuration is made.
pub trait Source: fmt::Debug + Send + Sync + 'static {
    /// What rustls takes.
    type Config: fmt::Debug + Send + Sync;

    /// All files, whether they exist or not.
    fn paths(&self) -> Vec<&Path>;

    /// How often they are looked at; zero: only when asked to.
    fn interval(&self) -> Duration;

    /// Makes a configuration of what is in the files.
    ///
    /// `current` is the one that is in use and whether a session may go on as it is: where only the server's own
    /// certificate was renewed it may, where somebody's trust was withdrawn it must not.
    fn load(
        &self,
        contents: &Contents,
        current: Option<Current<'_, Self::Config>>,
    ) -> Result<Loaded<Self::Config>, TlsError>;
}

/// The configuration in use, for the one that follows it.
#[derive(Debug)]
pub struct Current<'c, C> {
    pub config: &'c C,
    changed: Vec<&'c Path>,
}

impl<C> Current<'_, C> {
    /// Whether one of these files is not what the configuration was made of.
    pub fn has_changed(&self, paths: &[PathBuf]) -> bool {
        paths.iter().any(|path| self.changed.contains(&path.as_path()))
    }
}

/// A configuration, and when what it was made of comes to its end.
#[derive(Debug)]
pub struct Loaded<C> {
    pub config: Arc<C>,
    pub expiries: Vec<Expiry>,
}

/// A TLS configuration that follows its files.
#[derive(Debug)]
pub struct Reloading<S: Source> {
    source: S,
    current: ArcSwap<Loaded<S::Config>>,
    seen: Mutex<Seen>,
    requested: Arc<Notify>,
}

/// What the last look has found.
#[derive(Debug)]
struct Seen {
    in_use: Fingerprint,
    /// Files that did not load. Told about once.
    failed: Option<Fingerprint>,
    /// Files that may still be being written.
    unsettled: Option<Fingerprint>,
}

/// Why the files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is time to.
    Routine,
    /// Somebody says that the files are complete.
    Requested,
}

#[derive(Debug)]
enum Outcome {
    /// As they are in use, or as they were when they did not load.
    Unchanged,
    /// Changed since the last look.
    Unsettled,
    /// These files changed, and the new configuration is in use.
    Loaded(Vec<PathBuf>),
    /// The files are again as they are in use, after some that did not load.
    Restored,
    Failed(TlsError),
}

/// Asks for a look at the files now.
#[derive(Debug, Clone)]
pub struct ReloadTrigger(Arc<Notify>);

impl ReloadTrigger {
    pub fn fire(&self) {
        self.0.notify_one();
    }
}

impl<S: Source> Reloading<S> {
    /// Reads the files for the first time.
    pub fn load(source: S) -> Result<Self, TlsError> {
        let contents = Contents::read(source.paths());
        let current = source.load(&contents, None)?;
        let seen = Seen { in_use: contents.fingerprint(), failed: None, unsettled: None };
        Ok(Self {
            source,
            current: ArcSwap::from_pointee(current),
            seen: Mutex::new(seen),
            requested: Arc::default(),
        })
    }

    /// What a new connection is to use.
    pub fn current(&self) -> Arc<S::Config> {
        Arc::clone(&self.current.load().config)
    }

    /// A handle that asks for a look at the files now.
    pub fn trigger(&self) -> ReloadTrigger {
        ReloadTrigger(Arc::clone(&self.requested))
    }

    /// Reads the files and takes them up where they have changed.
    fn look(&self, why: Look) -> Outcome {
        let contents = Contents::read(self.source.paths());
        let found = contents.fingerprint();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if found == seen.in_use {
            seen.unsettled = None;
            return if seen.failed.take().is_some() { Outcome::Restored } else { Outcome::Unchanged };
        }
        if why == Look::Routine {
            if seen.failed.as_ref() == Some(&found) {
                seen.unsettled = None;
                return Outcome::Unchanged;
            }
            if seen.unsettled.as_ref() != Some(&found) {
                seen.unsettled = Some(found);
                return Outcome::Unsettled;
            }
        }
        seen.unsettled = None;
        let current = self.current.load();
        let changed = found.changed_since(&seen.in_use);
        match self.source.load(&contents, Some(Current { config: &current.config, changed: changed.clone() }))
        {
            Ok(loaded) => {
                let changed = changed.into_iter().map(Path::to_owned).collect();
                self.current.store(Arc::new(loaded));
                seen.in_use = found;
                seen.failed = None;
                Outcome::Loaded(changed)
            }
            Err(error) => {
                seen.failed = Some(found);
                Outcome::Failed(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
