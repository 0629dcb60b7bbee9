//! What the fake net, driven time and the library's own parts are for a measurement.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use mailflow::app;
use mailflow::inventory::Inventory;
use mailflow::net::FakeNet;
use mailflow::net::trust::Trust;
use mailflow::probe::Context;

/// A configuration, settled.
pub struct Settled {
    /// What is watched.
    pub inventory: Arc<Inventory>,
    /// What probes need to know of ourselves.
    pub context: Context,
    /// The roots that are trusted.
    pub trust: Arc<Trust>,
}

/// Reads a configuration as the daemon does.
pub fn settle(dir: &Path, net: &FakeNet, config: &str) -> Result<Settled> {
    let path = dir.join("mailflow.toml");
    std::fs::write(&path, config)?;
    let loaded = app::read(Some(&path)).map_err(|problems| anyhow!("{}", problems.render(false)))?;
    let (inventory, context, trust) = app::vantage(&loaded.config, net).map_err(|reason| anyhow!(reason))?;
    Ok(Settled {
        inventory: Arc::new(inventory),
        context,
        trust: Arc::new(trust),
    })
}

/// Runs under a clock that stands still while anybody works.
pub fn driven<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("no runtime")?
        .block_on(work)
}
