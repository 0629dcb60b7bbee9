//! The daemon is killed at random moments, while servers go down and come back, messages are refused and the configuration is
//! reloaded. After each death the store must hold what it held, and in the end everybody must have been told everything.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use tokio::time::sleep;

use crate::daemon::{self, Daemon, api, metric, until};
use crate::dns;
use crate::hook::Receipts;
use crate::ledger::Ledger;
use crate::mail::Server;
use crate::world::{ANCHOR, Home, Plan, domain, host};

const DOMAINS: usize = 30;
const PLAN: Plan = Plan {
    domains: DOMAINS,
    probes: "interval = \"1s\"\ntimeout = \"2s\"\nconfirm = 1\nconfirm_interval = \"200ms\"",
    sessions: 2,
};
/// How long a daemon that is told to stop may take.
const GRACE: Duration = Duration::from_secs(2);
/// A server that was down for so many lives, and for so long of them, must be known to be.
const LIVES: u32 = 4;
const LIVED: Duration = Duration::from_secs(8);

/// A generator good enough for moments (xorshift).
struct Chance(u64);

impl Chance {
    /// A number below `most`.
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

/// Since when a server is down, in lives and in what was lived of them, and which incident is about it.
#[derive(Default, Clone)]
struct Outage {
    lives: u32,
    lived: Duration,
    incident: Option<u64>,
}

struct Loop {
    home: Home,
    servers: Vec<Server>,
    outages: Vec<Outage>,
    receipts: Receipts,
    ledger: Ledger,
    chance: Chance,
    slowest_stop: Duration,
    reloads: u32,
}

/// Plays so many rounds.
pub async fn run(rounds: u64, seed: u64) -> Result<()> {
    println!("kill: {rounds} rounds, seed {seed}");
    let sessions = Arc::new(AtomicU64::new(0));
    dns::serve()?;
    let _anchor = Server::start(ANCHOR, &sessions)?;
    let servers: Result<_> = (0..DOMAINS)
        .map(|number| Server::start(host(number), &sessions))
        .collect();
    let mut this = Loop {
        home: Home::new(&PLAN)?,
        servers: servers?,
        outages: vec![Outage::default(); DOMAINS],
        receipts: Receipts::open().await?,
        ledger: Ledger::default(),
        chance: Chance(seed | 1),
        slowest_stop: Duration::ZERO,
        reloads: 0,
    };
    let played = this.play(rounds).await;
    drop(this.servers);
    played.with_context(|| format!("seed {seed}\n{}", daemon::tail(&this.home)))?;
    let (receipts, sessions) = (
        this.receipts.all().len(),
        sessions.load(std::sync::atomic::Ordering::Relaxed),
    );
    println!(
        "kill: {} incidents, {receipts} messages taken, {} of them twice after a kill, {} kills, {} reloads, {sessions} \
         sessions, the slowest stop {:?}: all is well",
        this.ledger.incidents(),
        this.ledger.repeated,
        this.ledger.kills.len(),
        this.reloads,
        this.slowest_stop
    );
    Ok(())
}

impl Loop {
    async fn play(&mut self, rounds: u64) -> Result<()> {
        let first = Daemon::start(&self.home, &[]).await?;
        until("all is looked at", Duration::from_mins(1), settled).await?;
        self.end(first, true).await.context("the first life")?;
        for round in 1..=rounds {
            self.live().await.with_context(|| format!("round {round}"))?;
            if round.is_multiple_of(20) {
                println!("kill: round {round}, {} incidents", self.ledger.incidents());
            }
        }
        self.finish().await.context("the end")
    }

    /// One life, of whatever length, and its end.
    async fn live(&mut self) -> Result<()> {
        let began = Instant::now();
        let daemon = Daemon::start(&self.home, &[]).await?;
        let life = self.chance.millis(50, 4000);
        let born = Instant::now();
        let reload = (self.chance.below(4) == 0).then(|| self.chance.millis(0, 2000));
        let mut reloaded = false;
        while born.elapsed() < life {
            let pause = self.chance.millis(50, 500);
            sleep(pause.min(life.saturating_sub(born.elapsed()))).await;
            let one = usize::try_from(self.chance.below(DOMAINS as u64))?;
            self.turn(one).await?;
            if !reloaded && reload.is_some_and(|at| born.elapsed() >= at) {
                daemon.signal(Signal::SIGHUP)?;
                (reloaded, self.reloads) = (true, self.reloads + 1);
            }
        }
        let gently = self.chance.below(5) == 0;
        self.end(daemon, gently).await?;
        // While nobody watches, things happen too.
        if self.chance.below(3) == 0 {
            let one = usize::try_from(self.chance.below(DOMAINS as u64))?;
            self.turn(one).await?;
        }
        self.look_at_outages(began.elapsed())
    }

    /// A third of them is down at a time.
    async fn turn(&mut self, one: usize) -> Result<()> {
        let up = self.servers[one].is_up();
        if up && self.chance.below(2) == 0 {
            return Ok(());
        }
        self.outages[one] = Outage::default();
        self.servers[one].set(!up).await
    }

    async fn end(&mut self, daemon: Daemon, gently: bool) -> Result<()> {
        if gently {
            let took = daemon.stop().await?;
            self.slowest_stop = self.slowest_stop.max(took);
            ensure!(took < GRACE, "told to stop, it took {took:?}");
        } else {
            self.ledger.kills.push(Instant::now());
            daemon.kill()?;
        }
        self.ledger.check(&self.home.store(), &self.receipts.all())
    }

    /// Who is down for long has one incident, and goes on having it.
    fn look_at_outages(&mut self, lived: Duration) -> Result<()> {
        for (number, outage) in self.outages.iter_mut().enumerate() {
            if self.servers[number].is_up() {
                continue;
            }
            (outage.lives, outage.lived) = (outage.lives + 1, outage.lived + lived);
            let name = domain(number);
            let open = self.ledger.open_about(&name);
            let long = outage.lives > LIVES && outage.lived > LIVED;
            ensure!(
                open.is_some() || !long,
                "{name} is down for long, and no incident says so"
            );
            // Before it is certain, an incident from an outage just before may still be open.
            if outage.lives > LIVES {
                let before = outage.incident.take();
                ensure!(
                    before.is_none() || before == open,
                    "{name} is down all the time, and its incident #{before:?} became {open:?}"
                );
                outage.incident = open;
            }
        }
        Ok(())
    }

    /// Everything heals, and everybody is told.
    async fn finish(&mut self) -> Result<()> {
        for server in &mut self.servers {
            if !server.is_up() {
                server.set(true).await?;
            }
        }
        let daemon = Daemon::start(&self.home, &[]).await?;
        let healed = until("nothing is open", Duration::from_mins(1), || async {
            let open = api("/api/v1/incidents?state=open").await;
            open.is_ok_and(|open| open["incidents"].as_array().is_some_and(Vec::is_empty)) && settled().await
        })
        .await;
        if healed.is_err() {
            let open = api("/api/v1/incidents?state=open").await?;
            return healed.context(format!("{open:#}"));
        }
        until("nothing waits to be sent", Duration::from_secs(90), || async {
            metric("mailflow_notifications_pending{notifier=\"oncall\"}")
                .await
                .is_ok_and(|left| left == 0.0)
        })
        .await?;
        self.end(daemon, true).await?;
        self.ledger.settle(&self.home.store(), &self.receipts.all())
    }
}

/// Whether every domain flows.
async fn settled() -> bool {
    let domains = api("/api/v1/domains?limit=1000").await;
    domains.is_ok_and(|found| {
        let flowing = |one: &serde_json::Value| one["state"] == "flowing";
        found["domains"]
            .as_array()
            .is_some_and(|all| all.len() == DOMAINS && all.iter().all(flowing))
    })
}
