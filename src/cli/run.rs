//! `mailflow run`: the daemon.

use tokio_util::sync::CancellationToken;

use super::args::{Arguments, Run};
use super::log;

/// Runs until told to stop.
pub fn run(run: &Run, arguments: &Arguments) -> anyhow::Result<u8> {
    log::start(arguments.log_format, false)?;
    let daemon = crate::app::run(run.config.clone(), CancellationToken::new());
    super::runtime()?.block_on(daemon)?;
    Ok(0)
}
