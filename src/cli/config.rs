//! `mailflow config`: every mistake at once, and hashes of passwords.

use super::args::{Config, ConfigCommand};
use super::{password, style};

/// Shows what is wrong with the configuration; 0 or 65 (`EX_DATAERR` of sysexits). Or makes a hash.
pub fn run(config: &Config) -> anyhow::Result<u8> {
    match &config.command {
        ConfigCommand::Check { config: path } => {
            let mut out = std::io::stdout().lock();
            Ok(crate::config::check::run(
                path.as_deref(),
                std::env::vars(),
                &mut out,
                style::stdout_is_coloured(),
            )?)
        }
        ConfigCommand::HashPassword => password::run(),
    }
}
