//! From a judgement to a verdict that is told: a turn for the worse waits until nothing that could explain it is
//! missing.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Mode, Monitor};
use crate::diagnosis::{Doubt, Judgement};
use crate::model::{Cause, ClientId, Code, Hop, Moment, Proof, Root, State, Target, Verdict, Warning};

impl Monitor {
    /// Publishes a draft, unless it turns for the worse while something is still in doubt. Whether the verdict turned.
    pub(super) fn settle(&mut self, target: Target, draft: Draft, doubt: &Doubt, now: Timestamp) -> bool {
        self.wonder(&target, doubt, now);
        let code = draft.cause.as_ref().map(|cause| cause.code);
        let before = self.verdicts.get(&target);
        let turns = before.is_none_or(|before| {
            before.state != draft.state
                || before.cause.as_deref().map(identity) != draft.cause.as_deref().map(identity)
        });
        let known = before.is_some_and(|before| before.state != State::Unknown);
        let worse = match draft.state {
            State::Broken | State::Degraded => true,
            // That our resolver fails is said of it, whatever was known before.
            State::Unknown if code == Some(Code::VantageResolverFailed) => true,
            // A first look at something new is no reason to forget what was known a moment ago.
            State::Unknown => known && code == Some(Code::VantageNoEvidence),
            State::Flowing => false,
        };
        if turns && worse && self.hold(&target, doubt, now) {
            return false;
        }
        self.release(&target);
        self.publish(target, draft, now);
        turns
    }

    /// Notes of a single look, which holds nothing back, whether a judgement still waits for something.
    pub(super) fn wonder(&mut self, target: &Target, doubt: &Doubt, now: Timestamp) {
        if self.mode == Mode::OneLook {
            if doubt.until(now).is_some() {
                self.undecided.insert(target.clone());
            } else {
                self.undecided.remove(target);
            }
        }
    }

    /// Holds a judgement back while something is in doubt, and looks again when it no longer may be.
    pub(super) fn hold(&mut self, target: &Target, doubt: &Doubt, now: Timestamp) -> bool {
        if self.mode == Mode::OneLook {
            return false;
        }
        let mut doubt = doubt.clone();
        let vantage = self.vantage_target();
        // While our own side is being judged, nobody else is blamed.
        let waits_for_us = *target != vantage && self.held.contains(&vantage);
        if waits_for_us && let Some(until) = self.recheck_at.get(&vantage) {
            doubt.wait((*until).into());
        }
        let Some(until) = doubt.until(now) else {
            return false;
        };
        self.held.insert(target.clone());
        // Whom our own side or a provider holds back is judged when that is known, and a provider by its addresses alone:
        // these may be many, and any news would have all of them judged.
        if waits_for_us || matches!(target, Target::Provider(_)) || self.waits_for_provider(target) {
            self.eager.remove(target);
        } else {
            self.eager.insert(target.clone());
        }
        self.recheck(target, until);
        true
    }

    /// Holds a target back no longer.
    pub(super) fn release(&mut self, target: &Target) {
        self.held.remove(target);
        self.eager.remove(target);
    }

    /// Whether it is just being found out if a target's provider as a whole is down: whatever else is heard then, nothing
    /// worse is said of the target before that is known. With a large provider these are many.
    fn waits_for_provider(&self, target: &Target) -> bool {
        let (Target::Domain(to) | Target::Route(_, to)) = target else {
            return false;
        };
        let provider = self
            .picture
            .provider_of(to)
            .map(|provider| Arc::clone(&provider.name));
        provider.is_some_and(|name| self.held.contains(&Target::Provider(name)))
    }

    pub(super) fn recheck(&mut self, target: &Target, at: Timestamp) {
        let at = Moment::from(at);
        let before = self.recheck_at.insert(target.clone(), at);
        if before == Some(at) {
            return;
        }
        if let Some(before) = before {
            self.rechecks.remove(&(before, target.clone()));
        }
        self.rechecks.insert((at, target.clone()));
    }

    pub(super) fn publish(&mut self, target: Target, mut draft: Draft, now: Timestamp) {
        self.note_turn(&target, draft.state, draft.cause.as_deref());
        self.texts.share(&mut draft.path, &mut draft.also);
        let before = self.verdicts.get(&target);
        draft.also.shrink_to_fit();
        let code = draft.cause.as_ref().map(|cause| cause.code);
        let same_state = before
            .filter(|before| before.state == draft.state)
            .map(|before| before.since);
        let remembered = self
            .remembered
            .get(&target)
            .filter(|_| same_state.is_none())
            .filter(|kept| kept.state == draft.state && kept.code == code)
            .map(|kept| kept.since);
        if draft.state != State::Unknown {
            self.remembered.remove(&target);
        }
        let client = match &target {
            Target::Gateway(client, _) | Target::Route(client, _) | Target::Canary(client, _) => {
                Some(client.clone())
            }
            Target::Domain(name) => self.picture.domain(name).and_then(|domain| domain.client.clone()),
            Target::Vantage(_) | Target::Provider(_) | Target::Notifier(_) | Target::Source(_) => None,
        };
        let since = same_state.or(remembered).unwrap_or(now);
        let verdict = draft.verdict(target.clone(), client, since);
        let turned = before.is_none_or(|before| {
            before.state != verdict.state
                || before.cause.as_deref().map(identity) != verdict.cause.as_deref().map(identity)
        });
        let verdict = Arc::new(verdict);
        if turned {
            self.changes.verdicts.push(Arc::clone(&verdict));
        }
        self.verdicts.insert(target, verdict);
    }
}

/// What makes two causes the same one.
fn identity(cause: &Cause) -> (Code, &Root) {
    (cause.code, &cause.root)
}

/// A verdict before its time is put to it.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) state: State,
    pub(super) cause: Option<Arc<Cause>>,
    pub(super) symptoms: Vec<Code>,
    pub(super) also: Vec<Warning>,
    pub(super) proven_by: Vec<Proof>,
    pub(super) checked: Option<Timestamp>,
    pub(super) provider: Option<Arc<str>>,
    pub(super) path: Vec<Hop>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            state: State::Unknown,
            cause: None,
            symptoms: Vec::new(),
            also: Vec::new(),
            proven_by: Vec::new(),
            checked: None,
            provider: None,
            path: Vec::new(),
        }
    }
}

impl Draft {
    pub(super) fn verdict(self, target: Target, client: Option<ClientId>, since: Timestamp) -> Verdict {
        Verdict {
            target,
            client,
            state: self.state,
            since,
            checked: self.checked,
            proven_by: self.proven_by,
            cause: self.cause,
            symptoms: self.symptoms,
            also: self.also,
            provider: self.provider,
            incident: None,
            flapping: None,
            path: self.path.into(),
        }
    }
}

impl From<Judgement> for Draft {
    fn from(judged: Judgement) -> Self {
        Self {
            state: judged.state,
            cause: judged.cause,
            symptoms: judged.symptoms,
            also: judged.also,
            proven_by: judged.proven_by,
            checked: judged.checked,
            provider: judged.provider,
            path: judged.path,
        }
    }
}
