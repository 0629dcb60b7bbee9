//! Logs: to standard error, or to the journal.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

use super::args::LogFormat;
use super::style;

/// Sets logging up, once. `quiet` shows only what is wrong unless `RUST_LOG` says otherwise.
pub fn start(format: LogFormat, quiet: bool) -> anyhow::Result<()> {
    // What is wrong with a signature stands in the evidence; the library would log whole answers.
    let usual = if quiet {
        "error,hickory_net=off"
    } else {
        "info,hickory_net=off"
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(usual));
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => {
            let text = fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(style::stderr_is_coloured())
                .with_target(false);
            registry.with(text).try_init()?;
        }
        LogFormat::Json => {
            registry
                .with(fmt::layer().json().with_writer(std::io::stderr))
                .try_init()?;
        }
        LogFormat::Journald => registry.with(tracing_journald::layer()?).try_init()?,
    }
    Ok(())
}
