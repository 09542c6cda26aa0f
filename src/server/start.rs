//! Building and starting a server.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::retries::Retries;
use super::set_aside_retries::SetAsideRetries;
use super::{Addresses, RunningOutput, Server};
use super::{changes, monitor, upkeep};
use crate::admin::{self, Listeners};
use crate::config::{BacklogConfig, Config, OutputConfig, OutputKind, OutputTake, StartAt};
use crate::input::forward::{BindError, ForwardInput};
use crate::journal::{CursorError, Journal, OpenError};
use crate::metrics::Metrics;
use crate::output::file::{
    DEAD_LETTERS, FileOutput, RecoverError, Unrecovered, open_dead_letters, open_forgotten, open_given_up,
    open_output, recover_all,
};
use crate::output::given_up::{GivenUp, HoldError};
use crate::output::{Controls, Output, forward};
use crate::pipeline::Pipeline;

/// Different tags and senders that are counted each on its own, where `[metrics]` is switched off.
const DEFAULT_MAX_LABEL_VALUES: usize = 1_000;

/// A server can't start. The operator must act; nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Journal(#[from] OpenError),
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    GivenUp(#[from] HoldError),
    #[error(transparent)]
    Changes(#[from] changes::ChangesError),
    #[error(transparent)]
    Recover(#[from] RecoverError),
    #[error(transparent)]
    ForwardOutput(#[from] forward::OpenError),
    #[error(transparent)]
    Input(#[from] BindError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Listen(Vec<admin::BindError>),
    #[error(transparent)]
    Admin(#[from] admin::AdminError),
}

impl StartError {
    /// Whether the configuration names files that are missing or wrong: starting again changes nothing until that is mended.
    pub fn is_of_the_configuration(&self) -> bool {
        matches!(
            self,
            Self::Input(BindError::Tls { .. }) | Self::ForwardOutput(forward::OpenError::Tls { .. })
        )
    }
}

pub(super) async fn start(config: Config) -> Result<Server, StartError> {
    let config = Arc::new(config);
    let data_dir = &config.server.data_dir;
    let max_label_values =
        config.metrics.as_ref().map_or(DEFAULT_MAX_LABEL_VALUES, |metrics| metrics.max_label_values);
    let metrics = Metrics::new(&config.server.name, max_label_values);

    let given_up = GivenUp::open(&config, &metrics)?;
    let journal = Journal::open(data_dir, &config.journal, metrics.journal.clone())?;
    // Under the journal's lock, and before any output or operator sees a file.
    let mut unrecovered = recover_all(journal.storage(), data_dir, &config.outputs, &metrics)?;
    let mut unrecovered_given_up = match &given_up {
        Some(given_up) => {
            recover_all(given_up.journal().storage(), given_up.data_dir(), &config.outputs, &metrics)?
        }
        None => Unrecovered::default(),
    };
    warn_of_cursors_without_an_output(&journal, &config.outputs)?;
    if !config.has_a_place_for_every_event() {
        tracing::warn!(
            "no output has `fallback = true`: events that no output's `match` takes go nowhere. Add one to keep them"
        );
    }
    let pipeline =
        Pipeline::new(&config.filters, &config.outputs, &config.server.name).with_inputs(&config.inputs);
    let pipeline = changes::follow(&journal, &config, pipeline)?;
    let max_size = config.journal.max_size;
    // Half for what outputs gave up, half for the rest.
    let letters_max_size = config.dead_letters.max_size / 2;
    let mut reload_triggers = Vec::new();
    let mut held_up = Vec::new();
    let mut upstreams_held_up = Vec::new();
    let mut boxed = |output: FileOutput, unrecovered: &mut Unrecovered| -> Box<dyn Output> {
        held_up.push(output.held_up());
        Box::new(unrecovered.hand_over_to(output))
    };
    let letters = open_dead_letters(data_dir, &journal, max_size, Some(letters_max_size), &metrics)?;
    let mut outputs = vec![boxed(letters, &mut unrecovered)];
    if let Some(given_up) = &given_up {
        let max_size = given_up.max_size(config.journal.segment_size);
        let letters = open_given_up(data_dir, given_up, max_size, Some(letters_max_size), &metrics)?;
        outputs.push(boxed(letters, &mut unrecovered_given_up));
        for id in given_up.forgotten(&config)? {
            let output = open_forgotten(&id, data_dir, given_up, max_size, &metrics)?;
            warn_of_forgotten_secondary(&id, &output);
            // Its archive files are not its own any more: they have to be recovered by now.
            outputs.push(boxed(output, &mut Unrecovered::default()));
        }
    }
    for output in &config.outputs {
        outputs.push(match &output.kind {
            OutputKind::File(file) if matches!(output.take, OutputTake::Secondary) => {
                // Its primary can give up, so there is a journal for it.
                let Some(given_up) = &given_up else { continue };
                let max_size = given_up.max_size(config.journal.segment_size);
                let (data_dir, journal) = (given_up.data_dir(), given_up.journal());
                // Its limits are about the journal, and this is another one.
                let output = OutputConfig {
                    start: StartAt::Oldest,
                    backlog: BacklogConfig::default(),
                    ..output.clone()
                };
                let output =
                    open_output(&output, file, data_dir, journal, max_size, None, &pipeline, &metrics)?;
                boxed(output, &mut unrecovered_given_up)
            }
            OutputKind::File(file) => {
                let given_up = given_up.as_ref();
                let output =
                    open_output(output, file, data_dir, &journal, max_size, given_up, &pipeline, &metrics)?;
                boxed(output, &mut unrecovered)
            }
            OutputKind::Forward(upstream) => {
                let output = forward::open_output(
                    output,
                    upstream,
                    data_dir,
                    &journal,
                    given_up.as_ref(),
                    &pipeline,
                    &metrics,
                )
                .await?;
                reload_triggers.extend(output.reload_trigger());
                upstreams_held_up.push(output.held_up());
                Box::new(output)
            }
        });
    }

    if let Some(given_up) = &given_up {
        given_up.remove_orphans(&journal);
    }
    unrecovered.all_handed_over()?;
    unrecovered_given_up.all_handed_over()?;

    let listeners = Listeners::bind(&config).map_err(StartError::Listen)?;
    let mut inputs = Vec::new();
    for input in &config.inputs {
        inputs.push(ForwardInput::bind(input)?);
    }
    reload_triggers.extend(inputs.iter().filter_map(ForwardInput::reload_trigger));
    let addresses = Addresses {
        inputs: inputs
            .iter()
            .zip(&config.inputs)
            .map(|(input, config)| (config.id.clone(), input.local_addr().clone()))
            .collect(),
        health: address_of(listeners.health.as_ref()),
        monitor_agent: address_of(listeners.monitor_agent.as_ref()),
        metrics: address_of(listeners.metrics.as_ref()),
    };

    let (stop_inputs, stop_outputs, stop_admin) =
        (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let flush_requests = watch::Sender::new(0);
    let state = monitor::admin_state(&config, &metrics, &journal, given_up.as_ref());
    let readiness = state.readiness.clone();
    let admin = admin::spawn(listeners, state, stop_admin.clone())?;
    for (section, address) in addresses.admin() {
        tracing::info!(section, %address, "listening");
    }

    tokio::spawn(upkeep::run(journal.clone(), flush_requests.clone(), stop_outputs.clone()));
    let controls = Controls {
        runtime: Handle::current(),
        flush_requests: flush_requests.subscribe(),
        stop: stop_outputs.clone(),
        stop_patience: config.server.shutdown_timeout,
    };
    // Outputs block on files and compress, so each has a thread.
    let outputs = outputs
        .into_iter()
        .map(|output| {
            let (id, controls) = (output.id().to_owned(), controls.clone());
            RunningOutput { id, task: tokio::task::spawn_blocking(move || output.run(controls)) }
        })
        .collect();
    tokio::spawn(Retries::new(&config, &journal).run(stop_inputs.clone()));
    let retries = SetAsideRetries::new(&config, &journal, flush_requests.clone());
    tokio::spawn(retries.run(stop_inputs.clone()));
    let inputs = inputs
        .into_iter()
        .zip(&config.inputs)
        .map(|(input, config)| {
            tokio::spawn(input.run(journal.clone(), metrics.input(&config.id), stop_inputs.clone()))
        })
        .collect();
    held_up.append(&mut upstreams_held_up);
    readiness.started(monitor::reasons(&journal, given_up.clone(), held_up));
    Ok(Server {
        config,
        addresses,
        metrics,
        journal,
        given_up,
        readiness,
        inputs,
        outputs,
        admin,
        flush_requests,
        reload_triggers,
        stop_inputs,
        stop_outputs,
        stop_admin,
    })
}

fn address_of(listener: Option<&TcpListener>) -> Option<SocketAddr> {
    listener.and_then(|listener| listener.local_addr().ok())
}

fn warn_of_forgotten_secondary(id: &str, output: &FileOutput) {
    let bytes = output.bytes_to_deliver();
    if bytes > 0 {
        tracing::warn!(
            output = id,
            bytes,
            "an output that is no `secondary` any more had still to take what others gave up: it goes to the dead letters. \
             See hikyaku dead-letter ls"
        );
    }
}

fn warn_of_cursors_without_an_output(journal: &Journal, outputs: &[OutputConfig]) -> Result<(), CursorError> {
    for id in journal.cursor_ids()? {
        let reads = |output: &OutputConfig| output.id == id && !matches!(output.take, OutputTake::Secondary);
        if id != DEAD_LETTERS && !outputs.iter().any(reads) {
            tracing::warn!(
                output = id,
                "an output that the configuration no longer has still holds its backlog in the journal. If it is gone \
                 for good, stop the server and run: hikyaku journal forget {id}"
            );
        }
    }
    Ok(())
}
