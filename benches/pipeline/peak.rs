//! The most that a process has of something at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Often enough to see what lasts as long as a flush, seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at a process until it ends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peak(Arc<Most>);

#[derive(Debug, Default)]
struct Most {
    descriptors: AtomicU64,
    kibibytes: AtomicU64,
}

impl Peak {
    #[allow(clippy::disallowed_methods, reason = "looking without a pause would be part of what is measured")]
    pub(crate) fn of(process: u32) -> Self {
        let peak = Self::default();
        let most = Arc::clone(&peak.0);
        std::thread::spawn(move || {
            while let Some(kibibytes) = kibibytes(process) {
                most.kibibytes.fetch_max(kibibytes, Ordering::Relaxed);
                if let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) {
                    most.descriptors.fetch_max(open.count() as u64, Ordering::Relaxed);
                }
                sleep(LOOK);
            }
        });
        peak
    }

    /// Descriptors that were open at one time.
    pub(crate) fn descriptors(&self) -> u64 {
        self.0.descriptors.load(Ordering::Relaxed)
    }

    /// Mebibytes of memory, those of its last flush included.
    pub(crate) fn memory(&self) -> f64 {
        self.0.kibibytes.load(Ordering::Relaxed) as f64 / 1024.0
    }
}

/// The most that it ever had, from proc_pid_status(5); `None` once it has ended.
fn kibibytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}
