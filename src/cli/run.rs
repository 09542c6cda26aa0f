//! `hikyaku run`: the server.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::{complain, dev, exit_code};
use crate::config::Config;
use crate::logging;
use crate::server::{Server, Signals};

/// Run the server
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    hikyaku run -c config/hikyaku.toml\n  \
    hikyaku run --dev                        with nothing prepared, on this machine only\n\n\
    Signals: TERM and INT stop in order, USR1 writes and saves all outputs now,\n    \
    HUP reads certificates, authorities and revocation lists again.\n\
    Exit codes: 0 stopped, 1 failed (a restart recovers), 78 wrong configuration.")]
pub(super) struct Arguments {
    /// The configuration
    #[arg(short, long, value_name = "FILE", env = "HIKYAKU_CONFIG", default_value = "config/hikyaku.toml")]
    config: PathBuf,
    /// On this machine only, with nothing prepared: certificates under certs/, data under data/; no FILE is read
    #[arg(long)]
    dev: bool,
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let config = if self.dev {
            dev::prepare().map_err(|error| error.to_string())
        } else {
            Config::load(&self.config).map_err(|errors| errors.to_string())
        };
        let config = match config {
            Ok(config) => config,
            Err(errors) => {
                complain(errors);
                if !self.dev && !self.config.exists() {
                    complain("To try hikyaku with nothing prepared: hikyaku run --dev");
                }
                return ExitCode::from(exit_code::CONFIGURATION);
            }
        };
        // Dropped last, so that the log is complete.
        let _log = match logging::init(&config.log) {
            Ok(log) => log,
            Err(error) => return fail(&error),
        };
        keep_freed_memory();
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(&error),
        };
        let code = runtime.block_on(serve(config, self.dev));
        // An output whose disk does not answer was given up on; the process must end all the same.
        runtime.shutdown_background();
        code
    }
}

/// Makes glibc keep up to twice so many bytes that were freed, in each of its arenas, instead of giving them back to the
/// system: its threshold follows the largest block that was freed so far. Messages of some hundred kilobytes come and go all
/// the time, and on a virtual machine pages that the host has to give cost ten times what filling them does.
fn keep_freed_memory() {
    const LARGEST_FREED: usize = 4 * 1024 * 1024;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST_FREED)));
}

async fn serve(config: Config, is_dev: bool) -> ExitCode {
    let signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            tracing::error!(fatal = true, %error, "cannot start");
            return if error.is_of_the_configuration() {
                ExitCode::from(exit_code::CONFIGURATION)
            } else {
                ExitCode::FAILURE
            };
        }
    };
    if is_dev {
        dev::say_what_to_type_next(server.addresses());
    }
    let shutdown = CancellationToken::new();
    let signals =
        tokio::spawn(signals.obey(server.flush_requests(), server.reload_triggers(), shutdown.clone()));
    let served = server.serve(shutdown).await;
    signals.abort();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(fatal = true, %error, "ended");
            ExitCode::FAILURE
        }
    }
}

fn fail(error: &dyn Display) -> ExitCode {
    complain(format_args!("cannot start: {error}"));
    ExitCode::FAILURE
}
