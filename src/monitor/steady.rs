//! How often a target turns, and how steadily it is well since: reckoned in observations of what it turns for
//! (`semantics` 21), which may be a minute apart or a quarter of an hour.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Monitor;
use crate::model::{Cause, State, Subject, Target};
use crate::picture::Track;

/// What a target turns for.
#[derive(Debug, Clone, Default)]
pub(super) struct Turning {
    subjects: BTreeSet<Subject>,
    /// How often each had been observed when the target was found well; `None`: it is not well.
    well: Option<BTreeMap<Subject, u32>>,
}

impl Monitor {
    /// The effective interval at which what a target turned for last is observed.
    pub fn pace(&self, target: &Target) -> Option<Duration> {
        let subjects = &self.turning.get(target)?.subjects;
        let intervals = subjects
            .iter()
            .map(|subject| self.agenda.effective_interval(subject));
        intervals.max().filter(|longest| !longest.is_zero())
    }

    /// In how many observations in a row a target has been well, the one that turned it included.
    pub fn well_in_a_row(&mut self, target: &Target) -> u32 {
        let verdict = self.verdicts.get(target);
        if verdict.is_none_or(|verdict| verdict.state != State::Flowing) {
            return 0;
        }
        let since = self.turning.get(target).and_then(|turning| turning.well.clone());
        let since = since.unwrap_or_default();
        let seen = since
            .iter()
            .filter_map(|(subject, then)| Some(self.heard(subject)?.saturating_sub(*then)))
            .min();
        if let Some(seen) = seen {
            return seen.saturating_add(1);
        }
        // After a restart, or when nobody looks at those any more.
        let subjects = self.what_shows(target);
        let well = self.heard_so_far(&subjects);
        if well.is_empty() {
            return u32::MAX;
        }
        let well = Some(well);
        self.turning.insert(target.clone(), Turning { subjects, well });
        1
    }

    /// Takes note of a judgement.
    pub(super) fn note_turn(&mut self, target: &Target, state: State, cause: Option<&Cause>) {
        let ours = matches!(target, Target::Vantage(_));
        match (state, cause) {
            (State::Flowing, _) => {
                let Some(turning) = self.turning.get(target).filter(|one| one.well.is_none()) else {
                    return;
                };
                let well = self.heard_so_far(&turning.subjects.clone());
                if let Some(turning) = self.turning.get_mut(target) {
                    turning.well = Some(well);
                }
            }
            (State::Unknown, _) if !ours => {
                if let Some(turning) = self.turning.get_mut(target) {
                    turning.well = None;
                }
            }
            (_, Some(cause)) => {
                let shown = cause.stands_on.iter().filter(|subject| self.is_routine(subject));
                let shown: BTreeSet<Subject> = shown.cloned().collect();
                let subjects = if shown.is_empty() {
                    self.what_shows(target)
                } else {
                    shown
                };
                self.turning
                    .insert(target.clone(), Turning { subjects, well: None });
            }
            (_, None) => {}
        }
    }

    /// What is looked at by itself to see how a target is.
    fn what_shows(&self, target: &Target) -> BTreeSet<Subject> {
        let inventory = &self.picture.inventory;
        match target {
            Target::Vantage(_) => {
                let anchors = inventory.anchors.iter().cloned().map(Subject::Anchor);
                let resolvers = inventory.resolvers.iter().copied().map(Subject::Resolver);
                anchors.chain(resolvers).collect()
            }
            // Its health is known to those who deliver, or who read it.
            Target::Notifier(_) | Target::Source(_) => BTreeSet::new(),
            Target::Canary(client, name) => [Subject::Canary(client.clone(), name.clone())].into(),
            Target::Gateway(client, name) => [Subject::Gateway(client.clone(), name.clone())].into(),
            Target::Provider(name) => {
                let provider = inventory.providers.named(name);
                let users = provider.map(|provider| self.picture.users_of(provider));
                let addresses = users.into_iter().flat_map(|users| users.keys());
                addresses.copied().map(Subject::Smtp).collect()
            }
            Target::Domain(name) | Target::Route(_, name) => {
                let hosts = self.picture.host_names(name);
                let addresses = hosts
                    .iter()
                    .flat_map(|host| self.picture.reachable_addresses(host));
                let addresses = addresses.map(Subject::Smtp);
                addresses.chain([Subject::Mx(name.clone())]).collect()
            }
        }
    }

    fn heard(&self, subject: &Subject) -> Option<u32> {
        self.picture.track(subject).map(Track::heard)
    }

    fn heard_so_far(&self, subjects: &BTreeSet<Subject>) -> BTreeMap<Subject, u32> {
        let heard = subjects
            .iter()
            .filter_map(|subject| Some((subject.clone(), self.heard(subject)?)));
        heard.collect()
    }
}
