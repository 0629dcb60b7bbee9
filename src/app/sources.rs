//! The mailboxes and logs that we learn from: who reads them, how far they were read, and what becomes of what they tell.
//! One that cannot be read is a fault of our own, and says nothing of any client's mail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::model::{
    Cause, ClientId, Code, Confidence, DomainName, Incident, Owner, Report, Root, RootKind, State, Target,
    Verdict,
};
use crate::monitor::{Bounces, Deliveries};
use crate::net::Net;
use crate::net::trust::Trust;
use crate::probe::Context;
use crate::snapshot::Snapshot;
use crate::store::{Batch, Fact, Loaded};

use super::engine::{Command, Engine};
use super::keeper::Keeper;
use super::{bounces, logs};

/// Under what the store keeps how far each was read, and what was told of routes.
const MARKS: &str = "sources";
const REPORTS: &str = "reports";
/// For how long one must have failed before anybody is told, where that may pass.
const LONG: SignedDuration = SignedDuration::from_mins(5);

/// Everything that is read.
#[derive(Clone)]
pub struct Sources {
    mailboxes: Vec<Arc<bounces::Mailbox>>,
    logs: Vec<Arc<logs::Log>>,
    context: Context,
    trust: Arc<Trust>,
}

impl Sources {
    /// As configured.
    ///
    /// # Errors
    /// A webhook that cannot be set up.
    pub(super) fn configured(config: &Config, context: &Context, trust: &Arc<Trust>) -> Result<Self, String> {
        Ok(Self {
            mailboxes: bounces::configured(config)?,
            logs: logs::configured(config),
            context: context.clone(),
            trust: Arc::clone(trust),
        })
    }

    /// The clients whose logs are read, and whether any mailbox is.
    fn counted(&self) -> (BTreeSet<ClientId>, bool) {
        let logs = self.logs.iter().map(|log| log.client.clone());
        (logs.collect(), !self.mailboxes.is_empty())
    }

    /// What each is called in alerts.
    pub(super) fn names(&self) -> BTreeSet<Arc<str>> {
        let mailboxes = self.mailboxes.iter().map(|one| Arc::clone(&one.name));
        mailboxes
            .chain(self.logs.iter().map(|one| Arc::clone(&one.name)))
            .collect()
    }
}

/// What a source tells, of others or of itself.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// What became of mail on routes, the oldest first.
    pub(super) reports: Vec<Report>,
    /// Deliveries to be counted.
    pub(super) deliveries: Deliveries,
    /// Bounces to be counted.
    pub(super) bounces: Bounces,
    /// Which source is ill, and why; or well again.
    pub(super) health: Option<(Arc<str>, Option<String>)>,
}

/// What whoever reads is wired to.
#[derive(Clone)]
pub(super) struct Wires {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) marks: Arc<Marks>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
}

impl Wires {
    pub(super) async fn tell(&self, heard: Heard) {
        if heard != Heard::default() {
            // Only a daemon that ends no longer listens.
            let _ = self.commands.send(Command::Heard(Box::new(heard))).await;
        }
    }
}

/// How far each source was read, kept over a restart.
pub(super) struct Marks {
    kept: Mutex<BTreeMap<String, Value>>,
    keeper: Keeper,
}

impl Marks {
    /// Takes them out of what a store remembers.
    pub(super) fn restore(memory: &mut Loaded, keeper: &Keeper) -> Self {
        let facts = memory.facts.extract_if(.., |fact| fact.subject == MARKS);
        Self {
            kept: Mutex::new(facts.map(|fact| (fact.name, fact.value)).collect()),
            keeper: keeper.clone(),
        }
    }

    /// How far a source was read.
    pub(super) fn of<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::from_value(kept.get(name)?.clone()).ok()
    }

    /// Keeps how far a source was read. The receiver hears whether it is written down.
    pub(super) fn keep(&self, name: &str, mark: &impl serde::Serialize) -> oneshot::Receiver<bool> {
        let value = serde_json::to_value(mark).unwrap_or_default();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_owned(), value.clone());
        let fact = Fact {
            subject: MARKS.into(),
            name: name.into(),
            value,
        };
        self.keeper.commit(Batch {
            facts: vec![fact],
            ..Batch::default()
        })
    }
}

/// Takes what was told of routes out of what a store remembers.
pub(super) fn reports(memory: &mut Loaded) -> Vec<Report> {
    let facts = memory.facts.extract_if(.., |fact| fact.subject == REPORTS);
    let read = facts.filter_map(|fact| serde_json::from_value::<Vec<Report>>(fact.value).ok());
    read.flatten().collect()
}

/// Has everything read that is configured, until told to stop. Whoever has begun ends before another begins: nobody reads
/// a message twice.
pub(super) async fn run<N: Net>(
    net: Arc<N>,
    mut settings: watch::Receiver<Sources>,
    wires: Wires,
    stop: CancellationToken,
) {
    loop {
        let sources = settings.borrow_and_update().clone();
        let round = stop.child_token();
        let mut readers = JoinSet::new();
        for mailbox in sources.mailboxes {
            let reader = bounces::Reader::new(
                &net,
                (sources.context.clone(), Arc::clone(&sources.trust)),
                mailbox,
                wires.clone(),
            );
            readers.spawn(reader.run(round.clone()));
        }
        for log in sources.logs {
            readers.spawn(logs::follow(Arc::clone(&net), log, wires.clone(), round.clone()));
        }
        let goes_on = tokio::select! {
            () = stop.cancelled() => false,
            changed = settings.changed() => changed.is_ok(),
        };
        round.cancel();
        while readers.join_next().await.is_some() {}
        if !goes_on {
            return;
        }
    }
}

/// Whether a source can be read, and when somebody is told that it cannot.
pub(super) struct Health {
    name: Arc<str>,
    failing: Option<Timestamp>,
    /// Whether it was last told to be well.
    well: bool,
}

impl Health {
    pub(super) fn new(name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            failing: None,
            well: false,
        }
    }

    /// It was read.
    pub(super) fn succeeded(&mut self) -> Heard {
        self.failing = None;
        if std::mem::replace(&mut self.well, true) {
            return Heard::default();
        }
        self.heard(None)
    }

    /// It could not be read; `for_good`: nor will it be.
    pub(super) fn failed(&mut self, reason: &str, for_good: bool, now: Timestamp) -> Heard {
        let since = *self.failing.get_or_insert(now);
        if !for_good && now.duration_since(since) < LONG {
            return Heard::default();
        }
        self.well = false;
        self.heard(Some(reason.to_owned()))
    }

    fn heard(&self, why: Option<String>) -> Heard {
        Heard {
            health: Some((Arc::clone(&self.name), why)),
            ..Heard::default()
        }
    }
}

impl<N: Net> Engine<N> {
    /// Takes in what a source tells.
    pub(super) fn hear(&mut self, heard: Heard, now: Timestamp) {
        let mut told = BTreeSet::new();
        for report in &heard.reports {
            if self.monitor.hear(report, now) {
                told.insert((report.client.clone(), report.to.clone()));
            }
        }
        self.monitor.count_deliveries(&heard.deliveries);
        self.monitor.count_bounces(&heard.bounces);
        let facts: Vec<Fact> = told
            .into_iter()
            .map(|(client, to)| self.kept(&client, &to))
            .collect();
        if !facts.is_empty() {
            drop(self.keeper.commit(Batch {
                facts,
                ..Batch::default()
            }));
        }
        if let Some((name, why)) = heard.health {
            self.judge_source(&name, why, now);
        }
    }

    /// What is told of a route, as the store keeps it.
    fn kept(&self, client: &ClientId, to: &DomainName) -> Fact {
        let reports = self.monitor.picture().reports_of(client, to);
        let value = if reports.is_empty() {
            Value::Null
        } else {
            serde_json::to_value(reports).unwrap_or_default()
        };
        Fact {
            subject: REPORTS.into(),
            name: format!("{client} {to}"),
            value,
        }
    }

    /// While our own line is down, that a mailbox cannot be reached is no news.
    fn judge_source(&mut self, name: &Arc<str>, why: Option<String>, now: Timestamp) {
        let is_blind = |incident: &Arc<Incident>| incident.cause.code == Code::VantageOffline;
        let blind = self.life.open().any(is_blind);
        if self.sources.contains(name) && !(blind && why.is_some()) {
            let detail = why.map(|why| format!("It cannot be read: {why}."));
            self.life
                .judge(&verdict(name, Code::VantageSourceUnreadable, detail, now), now);
        }
    }

    /// Takes over which sources there are: one that is gone is forgotten, a new one is taken for well.
    pub(super) fn configure_sources(&mut self, sources: &Sources) {
        let (names, (logs, mailboxes)) = (sources.names(), sources.counted());
        self.monitor.keep_counts(&logs, mailboxes);
        for gone in self.sources.difference(&names) {
            self.life.remove(&Target::Source(Arc::clone(gone)));
        }
        for name in &names {
            self.life.trust(&Target::Source(Arc::clone(name)));
        }
        self.sources = names;
    }
}

/// How something of our own is; with `detail`, that it failed, and why.
pub(super) fn verdict(name: &Arc<str>, code: Code, detail: Option<String>, now: Timestamp) -> Verdict {
    let cause = detail.map(|detail| Cause {
        on_route: false,
        code,
        root: Root {
            kind: RootKind::Source,
            client: None,
            name: Arc::clone(name),
        },
        subject: name.to_string(),
        detail,
        owner: Owner::Us,
        contact: None,
        confidence: Confidence::Certain,
        confidence_reason: None,
        evidence: Arc::default(),
        stands_on: Vec::new(),
    });
    Verdict {
        target: Target::Source(Arc::clone(name)),
        client: None,
        state: cause.as_ref().map_or(State::Flowing, |_| State::Unknown),
        since: now,
        checked: Some(now),
        proven_by: Vec::new(),
        cause: cause.map(Arc::new),
        symptoms: Vec::new(),
        also: Vec::new(),
        provider: None,
        incident: None,
        flapping: None,
        path: Box::default(),
    }
}
