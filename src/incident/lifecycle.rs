//! The lifecycle itself: what is known, and what comes in.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::contribution::{Contribution, Effect, badness, effect, rank};
use super::flapping::Turns;
use super::record::{Record, same_story, within};
use super::{settle, telling};
use crate::incident::Policy;
use crate::model::{Cause, Event, Flaps, Incident, IncidentId, Root, State, Target, Verdict};

/// Why an incident ended: every target flows again. Only such an incident can reopen.
pub(super) const RECOVERED: &str = "recovered";
/// Why an incident ended: its last target left the configuration.
pub(super) const REMOVED: &str = "removed";

/// Why an incident ended: somebody accepted what it was about.
pub(super) const ACCEPTED: &str = "accepted";

/// For how long at least an ended incident still takes notes: what became of its last messages.
const NOTES_FOR: Duration = Duration::from_mins(10);

/// A message that is due.
#[derive(Debug, Clone, PartialEq)]
pub struct Announcement {
    /// What about.
    pub event: Event,
    /// The incident as it is now.
    pub incident: Arc<Incident>,
}

/// What has to be written down since the last time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Incidents that are new or changed, whole.
    pub incidents: Vec<Arc<Incident>>,
    /// Targets that were seen for the first time.
    pub seen: Vec<Target>,
    /// Targets that left the configuration: what is remembered of them can go.
    pub forgotten: Vec<Target>,
}

impl Rows {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.incidents.is_empty() && self.seen.is_empty() && self.forgotten.is_empty()
    }
}

/// What the store remembers at a start.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Incidents that go on.
    pub open: Vec<Incident>,
    /// Incidents that ended lately: they may reopen.
    pub ended: Vec<Incident>,
    /// Targets that were seen before.
    pub seen: Vec<Target>,
    /// The number of the next incident.
    pub next_id: u64,
}

/// What was known of a cause that tells people the same.
fn told_alike(before: &Contribution, cause: &Cause) -> Option<Arc<Cause>> {
    let known = before.cause.as_ref().filter(|known| same_story(known, cause));
    known.cloned()
}

/// Turns verdicts into incidents, and says when somebody is to be told.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    pub(super) policy: Policy,
    pub(super) next_id: u64,
    /// What each target adds, and the same by root.
    pub(super) contributions: BTreeMap<Target, Contribution>,
    pub(super) by_root: BTreeMap<Root, BTreeSet<Target>>,
    /// Open incidents.
    pub(super) open: BTreeMap<Root, Record>,
    /// Ended incidents that may reopen, or whose end nobody was told yet.
    pub(super) ended: BTreeMap<IncidentId, Arc<Incident>>,
    pub(super) reopenable: BTreeMap<Root, IncidentId>,
    /// Roots to look at when settling.
    pub(super) touched: BTreeSet<Root>,
    /// Targets that left the configuration since the last settling.
    pub(super) removed: BTreeSet<Target>,
    /// Targets of which somebody accepted what was wrong, since the last settling.
    pub(super) accepted: BTreeSet<Target>,
    seen: HashSet<Target>,
    turns: Turns,
    held: BTreeSet<Target>,
    pub(super) changed: BTreeMap<IncidentId, Arc<Incident>>,
    /// Open incidents of which somebody may have to be told who was not told yet, besides those that changed.
    pub(super) look_again: BTreeSet<IncidentId>,
    newly_seen: Vec<Target>,
    forgotten: Vec<Target>,
}

impl Lifecycle {
    /// A lifecycle that remembers nothing.
    pub fn new(policy: Policy) -> Self {
        Self::restore(
            policy,
            Restored {
                next_id: 1,
                ..Restored::default()
            },
        )
    }

    /// A lifecycle that goes on where another ended.
    pub fn restore(policy: Policy, restored: Restored) -> Self {
        let mut this = Self {
            policy,
            next_id: restored.next_id.max(1),
            contributions: BTreeMap::new(),
            by_root: BTreeMap::new(),
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            reopenable: BTreeMap::new(),
            touched: BTreeSet::new(),
            removed: BTreeSet::new(),
            accepted: BTreeSet::new(),
            seen: restored.seen.into_iter().collect(),
            turns: Turns::default(),
            held: BTreeSet::new(),
            changed: BTreeMap::new(),
            look_again: BTreeSet::new(),
            newly_seen: Vec::new(),
            forgotten: Vec::new(),
        };
        for incident in restored.ended {
            this.keep_ended(Arc::new(incident));
        }
        for incident in restored.open {
            this.restore_open(incident);
        }
        this
    }

    fn restore_open(&mut self, incident: Incident) {
        self.next_id = self.next_id.max(incident.id.0.saturating_add(1));
        let root = incident.cause.root.clone();
        // The cause that is shown is that of the first in rank: the others' come back when they are judged.
        let shown = incident
            .affected
            .iter()
            .max_by_key(|one| rank(&root, &one.target, one.state, one.since))
            .map(|one| one.target.clone());
        let cause = Arc::new(incident.cause.clone());
        for one in &incident.affected {
            let contribution = Contribution {
                root: root.clone(),
                client: one.client.clone(),
                state: one.state,
                cause: (shown.as_ref() == Some(&one.target)).then(|| cause.clone()),
                first_sight: one.first_sight,
                since: one.since,
                flapping: one.flapping,
                held: false,
            };
            self.place(&one.target, contribution);
        }
        self.touched.insert(root.clone());
        let members = incident.affected.iter().map(|one| one.target.clone()).collect();
        self.look_again.insert(incident.id);
        let record = Record {
            members,
            ..Record::new(Arc::new(incident))
        };
        self.open.insert(root, record);
    }

    /// Takes in a verdict. Nothing is concluded before [`Self::settle`].
    pub fn judge(&mut self, verdict: &Verdict, now: Timestamp) {
        self.judge_paced(verdict, None, now);
    }

    /// Likewise, with the effective interval at which what the verdict turns for is observed, where that is known.
    pub fn judge_paced(&mut self, verdict: &Verdict, pace: Option<Duration>, now: Timestamp) {
        let first = !self.seen.contains(&verdict.target);
        match effect(verdict) {
            Effect::Keeps => {}
            Effect::Leaves if self.is_set_aside(verdict) => {
                if self.displace(&verdict.target).is_some() {
                    self.held.remove(&verdict.target);
                    self.accepted.insert(verdict.target.clone());
                }
            }
            Effect::Leaves => self.leave(&verdict.target, pace, now),
            Effect::Contributes(cause) => {
                self.contribute(verdict, cause, first, now);
                self.turn_worse(&verdict.target, pace, now);
            }
        }
        if first && verdict.state != State::Unknown {
            self.seen.insert(verdict.target.clone());
            self.newly_seen.push(verdict.target.clone());
        }
    }

    fn contribute(&mut self, verdict: &Verdict, cause: &Cause, first: bool, now: Timestamp) {
        let target = &verdict.target;
        let before = self.contributions.get(target);
        if before.is_some_and(|b| verdict.state == State::Unknown && b.state != State::Unknown) {
            return; // We do not know, so what was known stays.
        }
        let worse = before.is_none_or(|b| badness(verdict.state) > badness(b.state));
        let contribution = Contribution {
            root: cause.root.clone(),
            client: verdict.client.clone(),
            state: verdict.state,
            cause: Some(before.and_then(|b| told_alike(b, cause)).unwrap_or_else(|| {
                Arc::new(Cause {
                    // An incident is what the store keeps of it, no more: a message that is sent again is the same one.
                    stands_on: Vec::new(),
                    ..cause.clone()
                })
            })),
            // Getting worse than at first sight is news; while nothing but unknowns came before, it is not.
            first_sight: before.map_or(first, |b| b.first_sight && (first || !worse)),
            since: before.filter(|_| !worse).map_or(now, |b| b.since),
            flapping: before.and_then(|b| b.flapping),
            held: before.is_none_or(|b| b.held),
        };
        self.held.remove(target);
        // A target of many that is judged anew and found as it was is no reason to look at the others.
        if self.contributions.get(target) != Some(&contribution) {
            self.place(target, contribution);
        }
    }

    /// Counts a turn for the worse, if the target was well until now.
    fn turn_worse(&mut self, target: &Target, pace: Option<Duration>, now: Timestamp) {
        let Some(contribution) = self.contributions.get(target).filter(|one| one.held) else {
            return;
        };
        let flapping = self.turn(target, contribution.flapping, pace, now);
        if let Some(contribution) = self.contributions.get_mut(target) {
            contribution.flapping = flapping;
            contribution.held = false;
        }
    }

    /// Whether a target flows only as somebody has accepted what it stands in an incident for.
    fn is_set_aside(&self, verdict: &Verdict) -> bool {
        let Some(cause) = self
            .contributions
            .get(&verdict.target)
            .and_then(|one| one.cause.as_ref())
        else {
            return false;
        };
        verdict
            .also
            .iter()
            .any(|warning| warning.accepted && warning.code == cause.code)
    }

    /// Counts one turn, and says how the target flaps if it does by now.
    fn turn(
        &mut self,
        target: &Target,
        before: Option<Flaps>,
        pace: Option<Duration>,
        now: Timestamp,
    ) -> Option<Flaps> {
        let counted = self
            .turns
            .record(target, self.policy.flapping.as_ref(), pace, now);
        let more = before.map(|before| Flaps {
            turns: before.turns.saturating_add(1),
            ..before
        });
        more.or(counted)
    }

    fn leave(&mut self, target: &Target, pace: Option<Duration>, now: Timestamp) {
        let Some(contribution) = self.contributions.get(target).filter(|one| !one.held) else {
            return;
        };
        let flapping = self.turn(target, contribution.flapping, pace, now);
        if flapping.is_none() || self.policy.flapping.is_none() {
            self.displace(target);
        } else if let Some(contribution) = self.contributions.get_mut(target) {
            contribution.flapping = flapping;
            contribution.held = true;
            self.held.insert(target.clone());
            self.touched.insert(contribution.root.clone());
        }
    }

    /// Targets that flap and are well for the moment: [`Self::found_well`] wants to know for how long.
    pub fn held(&self) -> Vec<Target> {
        self.held.iter().cloned().collect()
    }

    /// A target that is held was found well in so many observations in a row, the one that turned it included.
    pub fn found_well(&mut self, target: &Target, observations: u32) {
        let enough = self.policy.flapping.is_none_or(|rule| observations >= rule.good);
        if enough && self.held.remove(target) {
            self.turns.forget(target);
            self.displace(target);
        }
    }

    /// How a target comes and goes, where it does.
    pub fn flaps(&self, target: &Target) -> Option<Flaps> {
        self.contributions.get(target)?.flapping
    }

    /// A target left the configuration: it is forgotten, and its incident ends unless others hold it open.
    pub fn remove(&mut self, target: &Target) {
        self.turns.forget(target);
        self.held.remove(target);
        if self.displace(target).is_some() {
            self.removed.insert(target.clone());
        }
        let known = self.seen.remove(target);
        self.newly_seen.retain(|one| one != target);
        if known {
            self.forgotten.push(target.clone());
        }
    }

    /// Removes every target that `keep` does not name, after a start or a reload.
    pub fn retain(&mut self, keep: impl Fn(&Target) -> bool) {
        let gone: BTreeSet<Target> = self
            .contributions
            .keys()
            .chain(&self.seen)
            .filter(|target| !keep(target))
            .cloned()
            .collect();
        for target in gone {
            self.remove(&target);
        }
    }

    /// Takes a target for well until something else is seen of it: what is wrong with it later is news, and not how
    /// it always was. One that is known already stays what it is.
    pub fn trust(&mut self, target: &Target) {
        if self.seen.insert(target.clone()) {
            self.newly_seen.push(target.clone());
        }
    }

    /// The targets that were seen.
    pub fn seen(&self) -> impl Iterator<Item = &Target> {
        self.seen.iter()
    }

    /// Takes a new policy; what is open is judged by it at the next settling.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.touched.extend(self.open.keys().cloned());
        self.reconsider();
    }

    /// Draws the conclusions of what was judged since the last time and of the time that has passed. Returns the
    /// messages that are due, each of them again and again until [`Self::told`] hears of it.
    pub fn settle(&mut self, now: Timestamp) -> Vec<Announcement> {
        self.release_held();
        settle::regroup(self, now);
        self.forget_ended(now);
        telling::release(self, now);
        telling::due(self, now)
    }

    /// When the next thing falls due with time alone; `None`: nothing will.
    pub fn next_due(&self) -> Option<Timestamp> {
        let messages = self
            .open
            .values()
            .filter_map(|record| telling::message_due(&self.policy, record).map(|(_, at)| at));
        let questions = self.open.values().filter_map(|record| record.ask_again);
        messages.chain(questions).min()
    }

    /// Changes the row of an incident that is open or ended lately; whether there is one.
    pub(super) fn edit(
        &mut self,
        id: IncidentId,
        root: Option<&Root>,
        change: impl FnOnce(&mut Incident),
    ) -> bool {
        let open = root.and_then(|root| self.open.get_mut(root));
        let open = open.filter(|record| record.row.id == id);
        let row = match open {
            Some(record) => Some(&mut record.row),
            None => self.ended.get_mut(&id),
        };
        let Some(row) = row else { return false };
        change(Arc::make_mut(row));
        self.changed.insert(id, row.clone());
        true
    }

    /// What has to be written down since the last time.
    pub fn take_rows(&mut self) -> Rows {
        Rows {
            incidents: std::mem::take(&mut self.changed).into_values().collect(),
            seen: std::mem::take(&mut self.newly_seen),
            forgotten: std::mem::take(&mut self.forgotten),
        }
    }

    /// The open incidents, by root.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Incident>> {
        self.open.values().map(|record| &record.row)
    }

    /// The open incident that a target belongs to.
    pub fn incident_of(&self, target: &Target) -> Option<IncidentId> {
        let root = &self.contributions.get(target)?.root;
        self.open.get(root).map(|record| record.row.id)
    }

    /// Every target that belongs to an open incident, with the incident.
    pub fn members(&self) -> impl Iterator<Item = (&Target, IncidentId)> {
        self.open.iter().flat_map(|(root, record)| {
            let members = self.by_root.get(root).into_iter().flatten();
            members.map(|target| (target, record.row.id))
        })
    }

    /// Puts a contribution where its root says, and marks every root that this touches.
    fn place(&mut self, target: &Target, contribution: Contribution) {
        let moved = self
            .contributions
            .get(target)
            .is_some_and(|before| before.root != contribution.root);
        if moved {
            self.displace(target);
        }
        self.touched.insert(contribution.root.clone());
        self.by_root
            .entry(contribution.root.clone())
            .or_default()
            .insert(target.clone());
        self.contributions.insert(target.clone(), contribution);
    }

    fn displace(&mut self, target: &Target) -> Option<Contribution> {
        let contribution = self.contributions.remove(target)?;
        if let Some(members) = self.by_root.get_mut(&contribution.root) {
            members.remove(target);
            if members.is_empty() {
                self.by_root.remove(&contribution.root);
            }
        }
        self.touched.insert(contribution.root.clone());
        Some(contribution)
    }

    /// Without a rule nothing flaps.
    fn release_held(&mut self) {
        if self.policy.flapping.is_none() {
            for target in self.held() {
                self.found_well(&target, u32::MAX);
            }
        }
    }

    /// Keeps an incident that is over for as long as somebody may ask for it.
    pub(super) fn keep_ended(&mut self, incident: Arc<Incident>) {
        if incident.ended_by.as_deref() == Some(RECOVERED) {
            self.reopenable.insert(incident.cause.root.clone(), incident.id);
        }
        self.ended.insert(incident.id, incident);
    }

    fn forget_ended(&mut self, now: Timestamp) {
        let span = self.policy.reopen_within.max(NOTES_FOR);
        self.ended.retain(|_, incident| {
            incident.awaits_resolution()
                || incident
                    .resolved
                    .is_some_and(|resolved| within(resolved, span, now))
        });
        let ended = &self.ended;
        self.reopenable.retain(|_, id| ended.contains_key(id));
    }
}
