//! What the operator's endpoints are told about this server.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::admin::{self, AdminState, ProcessInfo, Readiness};
use crate::config::{Config, OutputKind};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::output::given_up::GivenUp;
use crate::tls::expiry::days_left;

/// The state behind the endpoints, with what has to be computed when somebody asks.
pub(super) fn admin_state(
    config: &Config,
    metrics: &Arc<Metrics>,
    journal: &Journal,
    given_up: Option<&GivenUp>,
) -> AdminState {
    AdminState {
        readiness: Readiness::starting(),
        metrics: Arc::clone(metrics),
        refresh: refresh(config, metrics, journal, given_up),
        plugins: Box::new(admin::plugins(config, metrics)),
        process: ProcessInfo::new(config.path.as_deref(), &config.server.data_dir),
    }
}

const LARGE_WAIT: &str =
    "the disk of the data folder has no space for large messages and their senders wait: free some space";

/// Why the journal takes nothing, and why outputs are held up, for `/ready`.
pub(super) fn reasons(
    journal: &Journal,
    given_up: Option<GivenUp>,
    held_up: Vec<watch::Receiver<Option<String>>>,
) -> impl Fn() -> Vec<String> + Send + Sync + use<> {
    let (status, spools, journal) = (journal.status(), journal.spools().clone(), journal.clone());
    move || {
        let large = (spools.waiting() > 0).then(|| LARGE_WAIT.to_owned());
        let outputs = held_up.iter().filter_map(|reason| reason.borrow().clone());
        let refusal = status.borrow().refusal();
        let given_up = given_up.as_ref().and_then(GivenUp::refusal);
        let journal = refusal.into_iter().chain(journal.unreadable());
        journal.chain(large).chain(given_up).chain(outputs).collect()
    }
}

/// Certificates are read anew, so that the days left are those of the files as they are.
fn refresh(
    config: &Config,
    metrics: &Arc<Metrics>,
    journal: &Journal,
    given_up: Option<&GivenUp>,
) -> Box<dyn Fn() + Send + Sync> {
    let mut certificates: Vec<PathBuf> = Vec::new();
    for tls in config.inputs.iter().filter_map(|input| input.tls.as_ref()) {
        certificates.extend(tls.pairs().map(|pair| pair.cert));
        certificates.extend(tls.client_ca.iter().cloned());
    }
    for output in &config.outputs {
        if let OutputKind::Forward(forward) = &output.kind
            && let Some(tls) = &forward.tls
        {
            certificates.push(tls.ca.clone());
            certificates.extend(tls.identity.as_ref().map(|pair| pair.cert.clone()));
        }
    }
    certificates.sort();
    certificates.dedup();
    let metrics = Arc::clone(metrics);
    let journals: Vec<Journal> =
        std::iter::once(journal).chain(given_up.map(GivenUp::journal)).cloned().collect();
    Box::new(move || {
        journals.iter().for_each(Journal::measure_bytes);
        for path in &certificates {
            let file = path.display().to_string();
            match days_left(path) {
                Ok(days) => metrics.certificate_days_left(&file).set(days),
                // The sample stays as it was; whoever renews a certificate is about to put the file back.
                Err(error) => {
                    tracing::warn!(%error, "cannot read a certificate to tell the days that it has left")
                }
            }
        }
    })
}
