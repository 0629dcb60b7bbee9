//! Canaries: when they are sent, what becomes of them, and the verdicts on them.

use std::sync::Arc;

use jiff::Timestamp;

use super::publish::Draft;
use super::{Mode, Monitor};
use crate::diagnosis::{self, CanaryJudgement, Doubt};
use crate::inventory::{Canary, Inventory};
use crate::model::{CanaryOutcome, ClientId, Evidence, Observation, Subject, Target, Verdict};
use crate::snapshot::{CanaryView, Histogram};

/// What is counted of a canary.
#[derive(Debug, Clone)]
pub(super) struct Flights {
    sent: u64,
    failed: u64,
    took: Histogram,
    last_success: Option<Timestamp>,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            sent: 0,
            failed: 0,
            took: Histogram::within(Histogram::DELIVERY),
            last_success: None,
        }
    }
}

impl Flights {
    /// Counts one that came to its end. Where we cannot log in nothing was sent, and nobody failed.
    pub(super) fn add(&mut self, observation: &Observation) {
        let Evidence::Canary(evidence) = &observation.evidence else {
            return;
        };
        match &evidence.outcome {
            CanaryOutcome::LoginRefused { .. }
            | CanaryOutcome::NoToken { .. }
            | CanaryOutcome::NotTrusted { .. } => return,
            CanaryOutcome::Arrived { after, .. } => {
                self.took.record(*after);
                self.last_success = Some(observation.ended());
            }
            _ => self.failed += 1,
        }
        self.sent += 1;
    }
}

impl Monitor {
    /// Sends the canaries of the inventory, each at its own pace. One look sends nothing.
    pub(super) fn watch_canaries(&mut self, now: Timestamp) {
        if self.mode == Mode::OneLook {
            return;
        }
        let inventory = Arc::clone(&self.picture.inventory);
        for (index, canary) in inventory.canaries.iter().enumerate() {
            let first = self.spread(index * 20, canary.settings.interval / 2, now);
            self.watch(&canary.subject(), first);
        }
    }

    pub(super) fn judge_canary(&mut self, client: &ClientId, name: &str, now: Timestamp) {
        let Some(canary) = self.picture.inventory.canary(client, name).cloned() else {
            return;
        };
        let mut doubt = Doubt::default();
        let judged = diagnosis::canary(&self.picture, &self.own, &canary, now, &mut doubt);
        let target = canary.target();
        self.settle(target.clone(), Draft::from(judged), &doubt, now);
        self.recheck_when_stale(&target, [canary.subject()].into_iter(), None, now);
    }

    /// The canaries of a client, which may stand behind its gateways.
    pub(super) fn canaries_of(&self, client: &ClientId) -> Vec<Arc<Canary>> {
        let all = self.picture.inventory.canaries.iter();
        all.filter(|canary| canary.client == *client).cloned().collect()
    }

    /// Forgets canaries that are no longer configured.
    pub(super) fn drop_canaries(&mut self, before: &Inventory) {
        for canary in &before.canaries {
            if self
                .picture
                .inventory
                .canary(&canary.client, &canary.name)
                .is_none()
            {
                self.counts.flights.remove(&canary.target());
                self.drop_target(&canary.target());
                self.unwatch(&canary.subject());
            }
        }
    }

    pub(super) fn canary_view(&self, target: &Target, verdict: &Verdict) -> CanaryView {
        let flights = self.counts.flights.get(target).cloned().unwrap_or_default();
        CanaryView {
            verdict: verdict.clone(),
            sent: flights.sent,
            failed: flights.failed,
            took: flights.took,
            last_success: flights.last_success,
        }
    }

    /// What is observed of every canary.
    pub(super) fn canary_subjects(&self) -> impl Iterator<Item = Subject> {
        self.picture
            .inventory
            .canaries
            .iter()
            .map(|canary| canary.subject())
    }
}

impl From<CanaryJudgement> for Draft {
    fn from(judged: CanaryJudgement) -> Self {
        Self {
            state: judged.state,
            cause: judged.cause,
            also: judged.also,
            proven_by: judged.proven_by,
            checked: judged.checked,
            path: judged.path,
            ..Self::default()
        }
    }
}
