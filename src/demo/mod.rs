//! `mailflow demo`: a small world inside the process, in which things break and heal by a script.
//!
//! Only the world is made up ([`world`], `world.toml`), and what happens in it ([`script`], `script.toml`). Whoever
//! watches it is the daemon itself, wired as ever, with short intervals and a store that goes when it ends; it asks and
//! dials through sockets on loopback ([`net`]).

mod dns;
mod net;
mod past;
mod pki;
mod script;
mod sink;
#[cfg(test)]
mod tests;
mod world;

use std::fs::DirBuilder;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app::{self, Origin};
use crate::config;
use crate::net::{FakeNet, Net as _};
use crate::store::{SqliteStore, Store as _};

use net::DemoNet;
use pki::Authority;
use script::Script;
use world::{Living, World};

/// Where the page is, unless somebody is there already.
const USUAL_PORT: u16 = 9525;

/// What every page says.
const NOTICE: &str = "This is a demo. Clients, servers and faults are made up; the diagnosis is real.";

/// What happens, for whoever watches the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The page is here.
    Page {
        /// Its address.
        url: String,
        /// Whether that is another port than usual.
        elsewhere: bool,
    },
    /// Something broke in the world.
    Broke(String),
    /// Something healed.
    Healed(String),
    /// An alert arrived.
    Alert {
        /// `opened`, `resolved` and so on.
        event: String,
        /// What it says.
        text: String,
    },
}

/// Tells what happens.
pub type Narrator = Arc<dyn Fn(&Told) + Send + Sync>;

/// Plays until it is told to stop (SIGTERM, SIGINT, or `stop`).
///
/// # Errors
/// What keeps it from starting: no port or no room for files.
pub async fn run(narrator: Narrator, stop: CancellationToken) -> anyhow::Result<()> {
    let world = World::read()?;
    let script = Script::read()?;
    let inner = FakeNet::new();
    let net = Arc::new(DemoNet::open(inner.clone(), &world.dns_servers()).await?);
    let folder = Folder::new()?;
    let authority = Authority::new(net.now())?;
    std::fs::write(folder.path.join("roots.pem"), &authority.pem)?;
    let living = Living::new(&world, inner, authority)?;
    let listen = port().await?;
    let hook = sink::open(Arc::clone(&narrator)).await?;
    let config = folder.path.join("mailflow.toml");
    let text = world.configuration(&listen.to_string(), &format!("http://{hook}/"));
    std::fs::write(&config, text)?;
    SqliteStore::open(&folder.path.join("mailflow.db"))?.commit(&past::invent(&world, net.now()))?;

    narrator(&Told::Page {
        url: format!("http://{listen}/"),
        elsewhere: listen.port() != USUAL_PORT,
    });
    let playing = tokio::spawn(play(script, living, narrator, stop.clone()));
    let origin = Origin {
        net,
        read: Arc::new(move || configuration(&config)),
        notice: Some(NOTICE.into()),
    };
    let watched = app::watch(origin, stop.clone()).await;
    stop.cancel();
    playing.await.context("the script failed")??;
    watched
}

/// The demo's own configuration and nothing else: no variable of the environment may lead into somebody's real store.
fn configuration(path: &Path) -> Result<config::Config, String> {
    config::load(Some(path), std::iter::empty())
        .map(|loaded| loaded.config)
        .map_err(|problems| problems.render(false))
}

/// Breaks and heals, round after round.
async fn play(
    script: Script,
    living: Living,
    narrator: Narrator,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let mut passed = Duration::ZERO;
        for turn in script.turns() {
            if !rest(turn.at.saturating_sub(passed), &stop).await {
                return Ok(());
            }
            passed = turn.at;
            if turn.heals {
                living.heal(&turn.act.fault)?;
                narrator(&Told::Healed(turn.act.heals.clone()));
            } else {
                living.break_by(&turn.act.fault)?;
                narrator(&Told::Broke(turn.act.says.clone()));
            }
        }
        if !rest(script.round.saturating_sub(passed), &stop).await {
            return Ok(());
        }
    }
}

/// Waits; gives whether to go on.
async fn rest(time: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// The usual port on loopback, or another one where that is taken.
async fn port() -> anyhow::Result<SocketAddr> {
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, USUAL_PORT)).await;
    let listener = match usual {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port is free")?,
    };
    Ok(listener.local_addr()?)
}

/// A folder of our own that goes with us.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let base = std::env::temp_dir();
        for number in 0..100 {
            let path = base.join(format!("mailflow-demo-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("no room in {}", base.display())),
            }
        }
        Err(anyhow!("no room in {}", base.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
