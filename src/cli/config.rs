//! `mailflow config check`: every mistake at once.

use super::args::{Config, ConfigCommand};
use super::style;

/// Shows what is wrong with the configuration; 0 or 65 (`EX_DATAERR` of sysexits).
pub fn run(config: &Config) -> anyhow::Result<u8> {
    let ConfigCommand::Check { config: path } = &config.command;
    let mut out = std::io::stdout().lock();
    Ok(crate::config::check::run(
        path.as_deref(),
        std::env::vars(),
        &mut out,
        style::stdout_is_coloured(),
    )?)
}
