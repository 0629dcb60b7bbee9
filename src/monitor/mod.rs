//! The loop's pure core: observations in; verdicts, learnt facts and the next probes out. The daemon and
//! `mailflow check` run the very same one. The time is handed in; nothing here does I/O.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::ResolvedProbe;
use crate::diagnosis::{self, Finding, OwnSide, Suspicion};
use crate::inventory::Inventory;
use crate::model::dns::Lookup;
use crate::model::{
    Accepted, Anchor, ClientId, Code, DomainName, Evidence, Moment, Observation, ProbeKind, Recipient,
    SmtpStage, State, Subject, Target, Verdict,
};
use crate::net::{Routes, USUAL_PLACES};
use crate::picture::{Change, FactKey, Health, Learnt, Line, MxSet, NewFact, Picture, Taking};
use crate::probe::Task;
use crate::schedule::{Agenda, Next};
use crate::snapshot::{Histogram, HostView, ServiceView};

mod canaries;
mod dependents;
mod judge;
mod own_side;
mod policies;
mod publish;
mod recover;
mod reports;
mod restraint;
mod routes;
mod servers;
mod steady;
mod tally;
mod texts;
mod trace;
mod view;
mod watch;

pub use reports::{Bounces, Deliveries};
pub use view::View;

/// How the monitor works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Without pause: intervals, confirmation.
    Watch,
    /// One look at everything, nothing confirmed (`semantics` 18).
    OneLook,
}

/// What a step changed, for the incidents, the store and the surfaces.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Verdicts that are new or turned.
    pub verdicts: Vec<Arc<Verdict>>,
    /// Verdicts that have not turned, but now say more of their cause.
    pub refreshed: Vec<Arc<Verdict>>,
    /// Targets that left the configuration.
    pub removed: Vec<Target>,
    /// Facts that were learnt.
    pub facts: Vec<NewFact>,
    /// Facts that hold no more.
    pub unlearnt: Vec<FactKey>,
}

/// The state of a target as it was kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// How it was.
    pub state: State,
    /// Why.
    pub code: Option<Code>,
    /// Since when.
    pub since: Timestamp,
}

/// Why a domain's present MX set cannot be approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unapprovable {
    /// The domain is not watched.
    Unwatched,
    /// `expect_mx` in the configuration says what is right, and goes on saying so.
    Configured,
    /// DNS has given no definite answer, so there is no set.
    Unanswered,
}

/// The loop's pure core.
#[derive(Debug, Clone)]
pub struct Monitor {
    mode: Mode,
    picture: Picture,
    agenda: Agenda,
    own: OwnSide,
    suspected: Suspicion,
    outages: HashMap<Arc<str>, Finding>,
    verdicts: BTreeMap<Target, Arc<Verdict>>,
    /// What they say, and what DNS told.
    texts: texts::Texts,
    remembered: HashMap<Target, Remembered>,
    addresses: Arc<BTreeMap<DomainName, [u32; 4]>>,
    expiries: Arc<BTreeMap<DomainName, Timestamp>>,
    host_views: BTreeMap<SocketAddr, Arc<HostView>>,
    held: BTreeSet<Target>,
    /// Of these, those that any news may release.
    eager: BTreeSet<Target>,
    /// Addresses whose domains are judged once it is known whether their provider is down, with those that are not put off.
    put_off: BTreeMap<Arc<str>, BTreeMap<SocketAddr, Vec<DomainName>>>,
    /// Whether there was such news since the last tick: however many observations came in, they are judged once.
    news: bool,
    /// Of a single look: those whose verdict something that has not been seen yet may change.
    undecided: BTreeSet<Target>,
    rechecks: BTreeSet<(Moment, Target)>,
    recheck_at: foldhash::HashMap<Target, Moment>,
    refusals: HashMap<Subject, u32>,
    services: Arc<BTreeMap<DomainName, Vec<Arc<ServiceView>>>>,
    listable: BTreeMap<IpAddr, BTreeSet<ClientId>>,
    listings: BTreeSet<Subject>,
    turning: BTreeMap<Target, steady::Turning>,
    /// Where each recipient is asked for at the moment.
    asked_at: BTreeMap<Recipient, SocketAddr>,
    counts: Counts,
    changes: Changes,
}

/// What is counted for the metrics.
#[derive(Debug, Clone, Default)]
struct Counts {
    probes: BTreeMap<ProbeKind, u64>,
    errors: BTreeMap<ProbeKind, u64>,
    lag: BTreeMap<ProbeKind, Histogram>,
    phases: BTreeMap<(Arc<str>, SmtpStage), Histogram>,
    pings: BTreeMap<Target, view::Pings>,
    flights: BTreeMap<Target, canaries::Flights>,
    deliveries: Deliveries,
    bounces: Bounces,
}

impl Monitor {
    /// Begins to watch an inventory.
    pub fn new(
        mode: Mode,
        inventory: &Arc<Inventory>,
        mut learnt: Learnt,
        remembered: HashMap<Target, Remembered>,
        routes: Routes,
        now: Timestamp,
    ) -> Self {
        let changes = Changes {
            unlearnt: learnt.forget_strangers(inventory),
            ..Changes::default()
        };
        let mut monitor = Self {
            mode,
            picture: Picture::new(Arc::clone(inventory), learnt, routes),
            agenda: Agenda::new(USUAL_PLACES),
            own: OwnSide::default(),
            suspected: Suspicion::default(),
            outages: HashMap::new(),
            verdicts: BTreeMap::new(),
            texts: texts::Texts::default(),
            remembered,
            addresses: Arc::default(),
            expiries: Arc::default(),
            host_views: BTreeMap::new(),
            held: BTreeSet::new(),
            eager: BTreeSet::new(),
            put_off: BTreeMap::new(),
            news: false,
            undecided: BTreeSet::new(),
            rechecks: BTreeSet::new(),
            recheck_at: foldhash::HashMap::default(),
            refusals: HashMap::new(),
            services: Arc::default(),
            listable: BTreeMap::new(),
            listings: BTreeSet::new(),
            turning: BTreeMap::new(),
            asked_at: BTreeMap::new(),
            counts: Counts::default(),
            changes,
        };
        monitor.watch_everything(now);
        monitor.judge_everything(now);
        monitor
    }

    /// Has up to so many probes run at a time, in place of the usual number.
    #[must_use]
    pub fn with_places(mut self, places: usize) -> Self {
        self.agenda.set_most_at_once(places);
        self
    }

    /// The picture as it stands.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// The verdict on a target.
    pub fn verdict(&self, target: &Target) -> Option<&Arc<Verdict>> {
        self.verdicts.get(target)
    }

    /// How many targets have a verdict.
    pub fn targets(&self) -> usize {
        self.verdicts.len()
    }

    /// The probes to start now, with how late each starts.
    pub fn due(&mut self, now: Timestamp) -> Vec<(Task, Duration)> {
        let due = self.agenda.take_due(now);
        let mut tasks = Vec::with_capacity(due.len());
        for one in due {
            let kind = one.subject.probe();
            self.counts.lag.entry(kind).or_default().record(one.late);
            tasks.push((self.task(one.subject), one.late));
        }
        tasks
    }

    /// When to call [`Monitor::due`] or [`Monitor::tick`] again at the latest.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let recheck = self.rechecks.first().map(|(when, _)| (*when).into());
        self.agenda.next_wake().into_iter().chain(recheck).min()
    }

    /// Whether a single look has seen all that it wants to see: everything, or everything but witnesses of our own line
    /// that no verdict needs. Where mail flows, it has crossed our line.
    pub fn is_quiet(&self) -> bool {
        let witness = |subject: &Subject| matches!(subject, Subject::Anchor(_));
        self.agenda.is_quiet(|_| false) || (self.agenda.is_quiet(witness) && self.is_decided())
    }

    fn is_decided(&self) -> bool {
        let vantage = self.vantage_target();
        let certain = |target: &Target| !self.undecided.contains(target);
        let mut others = self.verdicts.iter().filter(|(target, _)| **target != vantage);
        others.all(|(target, verdict)| match verdict.state {
            State::Flowing => certain(target),
            State::Degraded | State::Broken => certain(target) && certain(&vantage),
            State::Unknown => false,
        })
    }

    /// Takes in what a probe saw.
    pub fn observe(&mut self, mut observation: Observation, now: Timestamp) {
        let subject = observation.subject.clone();
        if !self.agenda.watches(&subject) {
            self.agenda.done(&subject, Next::Routine, now);
            return;
        }
        self.texts.share_names(&mut observation.evidence);
        let observation = Arc::new(observation);
        let before = self.picture.track(&subject).cloned();
        let outdated = before
            .as_ref()
            .is_some_and(|track| track.is_outdated(&observation));
        let health = match diagnosis::classify(&self.picture, &observation) {
            Health::Failed(_) | Health::Settled(_) if outdated => Health::Unrunnable,
            health => health,
        };
        self.count(&observation);
        self.learn(&observation, health);
        let settings = self.settings(&subject);
        let confirm = match (self.mode, subject.probe()) {
            (Mode::OneLook, _) | (_, ProbeKind::Host) => 0,
            _ => settings.confirm,
        };
        let pause = self.backoff(&subject, health);
        let taking = Taking {
            confirm,
            seen: if self.mode == Mode::OneLook {
                Timestamp::MIN
            } else {
                observation.ended()
            },
            fresh_until: self.fresh_until(&observation, &settings, pause),
        };
        let quality = self.picture.line(&subject).map(Line::impaired);
        self.hear_pings(&observation, &settings, now);
        self.picture.hear_uptime(&observation);
        self.picture.hear_zone(&observation);
        self.learn_habits(&subject);
        let change = self.picture.record(&observation, health, taking);
        let in_doubt = self
            .picture
            .track(&subject)
            .is_some_and(crate::picture::Track::is_in_doubt);
        let next = match (health, pause) {
            (_, Some(pause)) => Next::BackOff(pause),
            (Health::Failed(_), None) if in_doubt => Next::Confirm,
            _ => Next::Routine,
        };
        let unanswered = matches!(health, Health::Failed(Code::HostUnreachable));
        self.agenda.set_unanswered(&subject, unanswered);
        self.agenda.done(&subject, next, now);
        if let (Subject::Smtp(address), Some(pause)) = (&subject, pause) {
            self.spare_provider(*address, pause, now);
        }
        if outdated {
            self.agenda.ask(&subject, now, now);
        }
        self.follow(&change, now);
        self.settle_name_server_budgets(&subject, now);
        self.ask_what_must_fit(&subject, before.as_ref(), &change, now);
        if change != Change::default() || self.changes_listings(before.as_ref(), &subject) {
            self.follow_listings(now);
        }
        if matches!(health, Health::Failed(_) | Health::Settled(_)) {
            self.ask_for_more(&subject, in_doubt, observation.ended(), now);
        }
        if let Some(track) = before.as_ref().filter(|track| track.streak().is_some())
            && health == Health::Good
        {
            let good_before = track.last_good().map(|good| good.at);
            self.recovered(&subject, good_before, now);
        }
        self.hear_from_behind(&subject, now);
        self.refresh_host_view(&subject);
        let quiet = quality == self.picture.line(&subject).map(Line::impaired)
            && before
                .as_ref()
                .is_some_and(|before| self.says_the_same(before, &subject));
        self.judge_dependents(&subject, quiet, now);
        self.tell_of_way(&subject);
    }

    /// Looks at what only time changes, evidence that grows old, and at judgements that were held back. To be called after
    /// observations, too.
    pub fn tick(&mut self, now: Timestamp) {
        let mut due = BTreeSet::new();
        if std::mem::take(&mut self.news) {
            due.extend(self.eager.iter().cloned());
        }
        while let Some((when, target)) = self.rechecks.first().cloned() {
            if when > now.into() {
                break;
            }
            self.rechecks.pop_first();
            self.recheck_at.remove(&target);
            due.insert(target);
        }
        if !due.is_empty() {
            self.judge(due, now);
        }
    }

    /// The machine's default routes changed.
    pub fn set_routes(&mut self, routes: Routes, now: Timestamp) {
        if self.picture.routes != routes {
            self.picture.routes = routes;
            let target = self.vantage_target();
            self.judge(BTreeSet::from([target]), now);
        }
    }

    /// Takes over a changed configuration: what stays keeps its state.
    pub fn reload(&mut self, inventory: Arc<Inventory>, now: Timestamp) {
        self.replace_inventory(inventory, now);
        self.put_off.clear();
        self.judge_everything(now);
    }

    /// Takes the MX set that a domain has now for the right one (`semantics` 8), and gives it; it is empty where mail
    /// goes to the domain's own address.
    ///
    /// # Errors
    /// [`Unapprovable`] where there is no such set, or where it is not for approval to say.
    pub fn approve(&mut self, domain: &DomainName, now: Timestamp) -> Result<MxSet, Unapprovable> {
        let watched = self
            .picture
            .domain(domain)
            .filter(|domain| !domain.is_destination);
        if watched.ok_or(Unapprovable::Unwatched)?.expect_mx.is_some() {
            return Err(Unapprovable::Configured);
        }
        let subject = Subject::Mx(domain.clone());
        let latest = self.picture.track(&subject).map(|track| &track.latest.evidence);
        let set = match latest {
            Some(Evidence::Mx(mx)) => match &mx.answer {
                Lookup::Found { records, .. } => MxSet::of(records),
                Lookup::NoData { .. } => MxSet::default(),
                // An empty set here would make the outage the rule.
                _ => return Err(Unapprovable::Unanswered),
            },
            _ => return Err(Unapprovable::Unanswered),
        };
        let fact = self.picture.learnt.approve_mx(domain, set.clone());
        self.changes.facts.push(fact);
        self.approve_offers(domain);
        self.agenda.ask(&subject, now, now);
        Ok(set)
    }

    /// Takes what is accepted by hand, and judges anew whom that touches.
    pub fn set_accepted(&mut self, accepted: HashMap<DomainName, Vec<Accepted>>, now: Timestamp) {
        let before = std::mem::replace(&mut self.picture.accepted, accepted);
        let after = &self.picture.accepted;
        let touched = before.keys().chain(after.keys());
        let changed = touched.filter(|name| before.get(*name) != after.get(*name));
        let targets: BTreeSet<Target> = changed.cloned().map(Target::Domain).collect();
        if !targets.is_empty() {
            self.judge(targets, now);
        }
    }

    /// Ends a single look: whatever is unanswered by now is unknown, and nothing is held back any more.
    pub fn conclude(&mut self, now: Timestamp) {
        self.judge_everything(now);
    }

    /// What the steps since the last call have changed.
    pub fn take_changes(&mut self) -> Changes {
        std::mem::take(&mut self.changes)
    }

    /// Takes in pings. Those from while our own line is suspected say nothing of anybody else's; where some are lost
    /// or late, the anchors are asked at once, so that it is known how our own line was in the same time.
    fn hear_pings(&mut self, observation: &Observation, settings: &ResolvedProbe, now: Timestamp) {
        if self.suspected.line.is_some() || !self.picture.hear_pings(observation, settings.interval) {
            return;
        }
        for anchor in self.anchors(|anchor| matches!(anchor, Anchor::Ping { .. })) {
            self.agenda.ask(&anchor, observation.at, now);
        }
    }

    fn fresh_until(
        &self,
        observation: &Observation,
        settings: &ResolvedProbe,
        pause: Option<Duration>,
    ) -> Timestamp {
        if self.mode == Mode::OneLook {
            return Timestamp::MAX;
        }
        let effective = self.agenda.effective_interval(&observation.subject);
        freshness(
            observation,
            settings,
            pause.map_or(effective, |pause| pause.max(effective)),
        )
    }

    /// Asks whoever could explain a failure (`semantics` 3). While it is in doubt, what they said before it is
    /// not enough; once it counts, their own pace is, or two that explain one another would never rest.
    fn ask_for_more(&mut self, subject: &Subject, in_doubt: bool, failed_at: Timestamp, now: Timestamp) {
        let began = self
            .picture
            .track(subject)
            .and_then(|track| Some(track.streak()?.first_seen()));
        for explainer in diagnosis::explainers(&self.picture, subject) {
            let since = match self.mode {
                Mode::OneLook => Timestamp::MIN,
                Mode::Watch if in_doubt => failed_at,
                Mode::Watch => {
                    let pace = self.settings(&explainer).interval / 2;
                    let lately = failed_at.checked_sub(SignedDuration::try_from(pace).unwrap_or_default());
                    began.max(lately.ok()).unwrap_or(failed_at)
                }
            };
            if subject.probe() == ProbeKind::Vantage {
                self.agenda.ask_first(&explainer, since, now);
            } else {
                self.agenda.ask(&explainer, since, now);
            }
        }
    }
}

/// Until when an observation counts: three effective intervals and the timeout (`semantics` 2).
fn freshness(observation: &Observation, settings: &ResolvedProbe, effective: Duration) -> Timestamp {
    let patience = match &observation.evidence {
        // At each opening stage the next session may wait so long again.
        Evidence::Smtp(smtp) if smtp.slow_lane => smtp.patience.saturating_mul(3),
        _ => settings.timeout,
    };
    let most = effective
        .max(settings.interval)
        .saturating_mul(3)
        .saturating_add(patience);
    let most = SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX);
    observation.ended().checked_add(most).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
