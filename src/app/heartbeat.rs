//! The dead man's switch: somebody else hears from us again and again, and raises the alarm when that stops. We are
//! heard only while everything that is required really makes progress: being blind is never green.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::redirect::Policy;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Requirement};
use crate::model::ProbeKind;
use crate::notify::Clock;
use crate::snapshot::{NotifierCounts, Snapshot, Vitals};

use super::keeper::Keeper;

/// How long the loop may stand still, and how late a probe may start.
const STANDSTILL: SignedDuration = SignedDuration::from_secs(30);
/// How long probes may be under way with none of them coming back: longer than any may take.
const UNANSWERED: SignedDuration = SignedDuration::from_mins(11);
/// How long messages may wait at a notifier with none of them leaving.
const STUCK: SignedDuration = SignedDuration::from_mins(5);
/// How long the other side may take to answer, and our own store to write.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the heart beats.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    url: String,
    interval: Duration,
    require: Vec<Requirement>,
    /// How long ago a mail server somewhere must have spoken to us at the most.
    spoken_within: SignedDuration,
}

impl Heartbeat {
    /// As configured, if it is.
    pub fn configured(config: &Config) -> Option<Self> {
        let heartbeat = config.alerting.heartbeat.as_ref()?;
        let usual = config.probes.resolve(ProbeKind::Smtp, &[]).interval;
        let levels = config
            .domains()
            .map(|(client, domain)| [&client.probes, &domain.probes]);
        let slowest = levels
            .map(|levels| config.probes.resolve(ProbeKind::Smtp, &levels).interval)
            .chain([usual, Duration::from_mins(5)])
            .max()
            .unwrap_or(usual);
        let within = slowest.saturating_mul(3).saturating_add(Duration::from_mins(1));
        Some(Self {
            url: heartbeat.url.as_str().to_owned(),
            interval: heartbeat.interval,
            require: heartbeat.require.clone(),
            spoken_within: SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX),
        })
    }
}

/// What is seen of ourselves at one time.
pub(super) struct Signs<'a> {
    pub(super) now: Timestamp,
    /// When the loop last showed what it knows.
    pub(super) turned: Timestamp,
    /// Since when the daemon runs.
    pub(super) started: Timestamp,
    pub(super) vitals: Vitals,
    /// Whether the store took a write just now.
    pub(super) written: bool,
    /// What the deliveries count; `None`: nobody delivers any more.
    pub(super) deliveries: Option<&'a BTreeMap<Arc<str>, NotifierCounts>>,
}

/// What the heart remembers from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Heart {
    /// Since when each notifier's messages wait with none delivered, and how many were delivered by then.
    waiting: BTreeMap<Arc<str>, (Timestamp, u64)>,
}

impl Heart {
    /// What of `heartbeat`'s requirements makes no progress, in words; empty: all is well.
    pub(super) fn failing(&mut self, heartbeat: &Heartbeat, signs: &Signs<'_>) -> Vec<String> {
        let stuck = self.stuck(signs);
        let mut failing = Vec::new();
        for requirement in &heartbeat.require {
            failing.extend(match requirement {
                Requirement::Loop => lame(signs),
                Requirement::Store => (!signs.written).then(|| "the store takes no writes".to_owned()),
                Requirement::Outbox => stuck.clone(),
                Requirement::Port25 => mute(signs, heartbeat.spoken_within),
            });
        }
        failing
    }

    fn stuck(&mut self, signs: &Signs<'_>) -> Option<String> {
        let Some(counts) = signs.deliveries else {
            return Some("nobody delivers messages any more".into());
        };
        self.waiting.retain(|name, _| counts.contains_key(name));
        let mut stuck = Vec::new();
        for (name, count) in counts {
            let known = self
                .waiting
                .get(name)
                .filter(|(_, delivered)| *delivered == count.delivered);
            match (count.pending, known) {
                (0, _) => {
                    self.waiting.remove(name);
                }
                (_, None) => {
                    self.waiting.insert(name.clone(), (signs.now, count.delivered));
                }
                (_, Some((since, _))) if signs.now.duration_since(*since) >= STUCK => {
                    stuck.push(name.to_string());
                }
                (_, Some(_)) => {}
            }
        }
        (!stuck.is_empty()).then(|| format!("messages wait and none leaves at {}", stuck.join(", ")))
    }
}

/// What is wrong with the loop of probes.
fn lame(signs: &Signs<'_>) -> Option<String> {
    let since = |at: Timestamp| signs.now.duration_since(at);
    let late = |due: &Timestamp| signs.turned.duration_since(*due) > STANDSTILL;
    if since(signs.turned) > STANDSTILL {
        Some("the loop stands still".into())
    } else if signs.vitals.due.as_ref().is_some_and(late) {
        Some("probes do not start in time".into())
    } else if signs
        .vitals
        .unanswered_since
        .is_some_and(|at| since(at) > UNANSWERED)
    {
        Some("probes start and none comes back".into())
    } else {
        None
    }
}

/// What is wrong with our port 25. Right after the start nobody can have spoken yet: that is no good sign either.
fn mute(signs: &Signs<'_>, within: SignedDuration) -> Option<String> {
    match signs.vitals.spoken {
        None if signs.now.duration_since(signs.started) <= within => {
            Some("no mail server has spoken to us yet".into())
        }
        Some(at) if signs.now.duration_since(at) <= within => None,
        _ => Some("no mail server speaks to us".into()),
    }
}

/// What the switch is wired to.
pub(super) struct Wires {
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) counts: watch::Receiver<BTreeMap<Arc<str>, NotifierCounts>>,
    pub(super) keeper: Keeper,
    pub(super) clock: Clock,
}

/// Lets the heart beat until told to stop.
pub(super) async fn run(
    mut settings: watch::Receiver<Option<Heartbeat>>,
    wires: Wires,
    stop: CancellationToken,
) {
    let mut heart = Heart::default();
    let mut said = Vec::new();
    loop {
        let configured = settings.borrow_and_update().clone();
        let wait = match &configured {
            Some(heartbeat) => {
                let failing = beat(&mut heart, heartbeat, &wires).await;
                if failing != said {
                    report(&failing);
                    said = failing;
                }
                heartbeat.interval
            }
            None => Duration::MAX,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = settings.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn report(failing: &[String]) {
    if failing.is_empty() {
        tracing::info!("the heartbeat goes out");
    } else {
        tracing::error!("the heartbeat is held back: {}", failing.join("; "));
    }
}

/// Is heard if all is well; what is not.
async fn beat(heart: &mut Heart, heartbeat: &Heartbeat, wires: &Wires) -> Vec<String> {
    let failing = look(heart, heartbeat, wires).await;
    if failing.is_empty() {
        ping(&heartbeat.url).await;
    }
    failing
}

async fn look(heart: &mut Heart, heartbeat: &Heartbeat, wires: &Wires) -> Vec<String> {
    let now = (wires.clock)();
    let keeper = wires.keeper.clone();
    let write = tokio::task::spawn_blocking(move || keeper.ask(move |store| store.beat(now)));
    let written = matches!(tokio::time::timeout(PATIENCE, write).await, Ok(Ok(Some(Ok(())))))
        && wires.keeper.failing().is_none();
    let snapshot = Arc::clone(&wires.snapshots.borrow());
    let alive = wires.counts.has_changed().is_ok();
    let counts = wires.counts.borrow().clone();
    let signs = Signs {
        now: (wires.clock)(),
        turned: snapshot.at,
        started: snapshot.started,
        vitals: snapshot.vitals,
        written,
        deliveries: alive.then_some(&counts),
    };
    heart.failing(heartbeat, &signs)
}

/// Says that we live. The address is a secret of sorts: it is in no log.
async fn ping(url: &str) {
    let client = reqwest::Client::builder()
        .user_agent(concat!("mailflow/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::limited(3))
        .timeout(PATIENCE)
        .build();
    let answer = match client {
        Ok(client) => client
            .get(url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status),
        Err(error) => Err(error),
    };
    if let Err(error) = answer {
        tracing::warn!("the heartbeat did not arrive: {}", error.without_url());
    }
}

#[cfg(test)]
mod tests;
